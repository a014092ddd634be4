"""All SQL on the warehouse: raw, stg, etl and our own schema restage. Imports no other room."""
