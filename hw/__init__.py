"""What is built: configuration, plan, tables, one file per stage of the data path, and the pipeline that joins them."""

__all__: list[str] = []
