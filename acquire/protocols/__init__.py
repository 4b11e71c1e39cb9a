"""Built-in protocols, as TOML files."""
