"""The field's protocols: data sets as they are published, splits, metrics, tables and result files."""
