"""What OpenLineage calls datasets: delivered files and the tables of the warehouse, with what the registry knows."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    column_lineage_dataset,
    datasource_dataset,
    input_statistics_input_dataset,
    lifecycle_state_change_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)
from openlineage.client.generated.base import OutputDatasetFacet

from warehouse import column_rules
from warehouse.registry import Extract
from warehouse.sources import Address

CREATE, OVERWRITE = "CREATE", "OVERWRITE"


@dataclass(frozen=True)
class Warehouse:
    """`namespace`: postgres://host:port, `database` its name: as OpenLineage names tables."""

    namespace: str
    database: str

    @classmethod
    def of(cls, url: str) -> "Warehouse":
        """Of a postgresql:// URL, without user and password."""
        parts = urlsplit(url)
        return cls(f"postgres://{parts.hostname or 'localhost'}:{parts.port or 5432}", parts.path.lstrip("/"))

    def name(self, table: str) -> str:
        return f"{self.database}.{table}"

    def source(self) -> DatasetFacet:
        return datasource_dataset.DatasourceDatasetFacet(name=self.namespace, uri=f"{self.namespace}/{self.database}")


def file(address: Address, rows: int | None = None, size: int | None = None) -> InputDataset:
    """A delivered file: of a store by its bucket, else of the file system."""
    parts = urlsplit(address.url)
    remote = bool(parts.scheme and parts.scheme != "file")
    namespace = f"{parts.scheme}://{parts.hostname or ''}" if remote else "file"
    known = rows is not None or size is not None
    counts = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows, size=size)
    return InputDataset(
        namespace,
        parts.path.lstrip("/") if remote else parts.path,
        facets={"dataSource": datasource_dataset.DatasourceDatasetFacet(name=namespace, uri=f"{namespace}:")},
        inputFacets={"inputStatistics": counts} if known else {},
    )


def raw_input(house: Warehouse, extract: Extract) -> InputDataset:
    return InputDataset(house.namespace, house.name(f"raw.{extract.table}"), facets=_raw_facets(house, extract))


def raw_output(house: Warehouse, extract: Extract, rows: int | None) -> OutputDataset:
    name = house.name(f"raw.{extract.table}")
    return OutputDataset(house.namespace, name, facets=_raw_facets(house, extract), outputFacets=_written(rows))


def staged_input(house: Warehouse, extract: Extract) -> InputDataset:
    return InputDataset(house.namespace, house.name(f"stg.{extract.table}"), facets=_stg_facets(house, extract))


def staged_output(house: Warehouse, extract: Extract, rows: int | None, *, from_raw: bool) -> OutputDataset:
    """The staging table, some rows of which were written anew; `from_raw`: each column from the field that feeds it."""
    facets = _stg_facets(house, extract) | {"lifecycleStateChange": _state(OVERWRITE)}
    if from_raw:
        facets["columnLineage"] = columns(house, extract)
    name = house.name(f"stg.{extract.table}")
    return OutputDataset(house.namespace, name, facets=facets, outputFacets=_written(rows))


def table(house: Warehouse, name: str, extract: Extract, rows: int | None, *, made: bool = False) -> OutputDataset:
    """A table with the rows of staging in it: an archive table, or one beside staging."""
    facets = _stg_facets(house, extract) | ({"lifecycleStateChange": _state(CREATE)} if made else {})
    return OutputDataset(house.namespace, house.name(name), facets=facets, outputFacets=_written(rows))


def columns(house: Warehouse, extract: Extract) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """Each column of staging from the column of raw that feeds it, and how."""
    rules = {made.column: made for made in column_rules.made(extract)}
    raw = house.name(f"raw.{extract.table}")
    fields = {}
    for column in extract.staged:
        same, told = column_rules.is_identity(column), rules[column.name].told
        step = column_lineage_dataset.Transformation(
            "DIRECT", "IDENTITY" if same else "TRANSFORMATION", told, masking=False
        )
        origin = column_lineage_dataset.InputField(house.namespace, raw, column.name, [step])
        fields[column.name] = column_lineage_dataset.Fields([origin])
    return column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)


def _raw_facets(house: Warehouse, extract: Extract) -> dict[str, DatasetFacet]:
    return {
        "schema": _schema([(column.name, "text", "") for column in extract.columns]),
        "dataSource": house.source(),
    }


def _stg_facets(house: Warehouse, extract: Extract) -> dict[str, DatasetFacet]:
    made = [(made.column, made.type, made.told) for made in column_rules.made(extract)]
    return {"schema": _schema(made), "dataSource": house.source()}


def _schema(named: list[tuple[str, str, str]]) -> DatasetFacet:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name, kind, told or None, place)
        for place, (name, kind, told) in enumerate(named, start=1)
    ]
    return schema_dataset.SchemaDatasetFacet(fields=fields)


def _written(rows: int | None) -> dict[str, OutputDatasetFacet]:
    if rows is None:
        return {}
    return {"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)}


def _state(change: str) -> DatasetFacet:
    return lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
        lifecycle_state_change_dataset.LifecycleStateChange(change)
    )
