"""Charts that the server carries."""

import json

import yaml
from jsonschema import Draft7Validator

from adapters.charts import carried_charts


def test_the_server_carries_lucity_app_under_its_own_version() -> None:
    ((version, files),) = carried_charts().items()
    chart = yaml.safe_load(files["Chart.yaml"])
    assert chart["version"] == version == "0.1.0"
    assert (chart["apiVersion"], chart["type"], chart["name"]) == ("v2", "application", "lucity-app")


def test_files_are_sorted_and_complete() -> None:
    (files,) = carried_charts().values()
    assert list(files) == sorted(files)
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "templates/services.yaml"} < set(files)


def test_the_schema_is_one_and_takes_the_default_values() -> None:
    (files,) = carried_charts().values()
    schema = json.loads(files["values.schema.json"])
    Draft7Validator.check_schema(schema)
    assert not list(Draft7Validator(schema).iter_errors(yaml.safe_load(files["values.yaml"])))


def test_the_schema_takes_every_key_that_the_comments_of_the_values_show() -> None:
    (files,) = carried_charts().values()
    commented = files["values.yaml"].decode().split("services: {}\n")[1]
    shown = yaml.safe_load("services:\n" + "".join(line[1:] + "\n" for line in commented.splitlines()))
    shown["services"]["api"]["image"]["digest"] = "sha256:" + "a" * 64
    errors = list(Draft7Validator(json.loads(files["values.schema.json"])).iter_errors(shown))
    assert not [error.message for error in errors]
    properties = json.loads(files["values.schema.json"])["definitions"]["service"]["properties"]
    assert set(shown["services"]["api"]) == set(properties)
