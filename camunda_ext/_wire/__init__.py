"""
Conversion to and from the engine's formats: JSON, dates, names of fields, URLs; checks of values;
and untrusted text made safe for display.
"""
