"""The ground floor: errors, versions, text, YAML with line numbers, and other small tools that know nothing of the product."""
