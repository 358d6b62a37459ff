"""The ground: errors, versions, text, YAML with positions, and other small tools that know no word of the product."""
