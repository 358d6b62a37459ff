"""What every renderer shows: pure data made from a report or a plan."""
