"""The two vocabularies: the causes that can be named, and the checks of the probe."""
