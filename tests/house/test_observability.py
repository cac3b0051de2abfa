"""Rules, dashboards and the handbook name what the product tells, and nothing else."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from streams.devtools.asyncapi import schemas
from streams.kafka.topics import TOPICS
from streams.worker.metrics import Metrics
from tests.support.places import ROOT

FOLDER = ROOT / "examples" / "observability"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARDS = {
    path.stem: json.loads(path.read_text()) for path in (FOLDER / "dashboards").glob("*.json")
}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
HANDBOOK = (ROOT / "docs" / "operations.md").read_text()


def told():
    """The names of the samples of each metric, with the labels that they may have."""
    parts = {
        "counter": ("_total",),
        "gauge": ("",),
        "histogram": ("_bucket", "_sum", "_count"),
    }
    names: dict[str, set[str]] = {}
    metrics = Metrics()
    for collector in set(metrics.registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ())) | {"instance", "job"}
        for family in collector.collect():
            own = labels | {"le"} if family.type == "histogram" else labels
            own |= {"stage"} if not getattr(collector, "_labelnames", None) else set()
            names |= {family.name + part: own for part in parts[family.type]}
    return names


TOLD = told()


def expressions():
    """Yield each expression of the rules and dashboards, with the place where it stands."""
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", target["expr"]


EXPRESSIONS = list(expressions())


@pytest.mark.parametrize(
    "text", [text for _, text in EXPRESSIONS], ids=[place for place, _ in EXPRESSIONS]
)
def test_each_metric_that_is_watched_is_one_that_the_product_tells_with_its_labels(text):
    named = re.findall(r"refusion_\w+", text)
    assert named
    assert set(named) <= TOLD.keys()
    may = set().union(*(TOLD[name] for name in named))
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", text)
    chosen = re.findall(r"(\w+)=~?\"", text)
    assert {label.strip() for labels in grouped for label in labels.split(",")} <= may
    assert set(chosen) <= may


def test_a_metric_that_is_not_told_would_be_noticed():
    assert "refusion_lag_records" in TOLD
    assert "refusion_lag_record" not in TOLD
    assert TOLD["refusion_rejected_total"] >= {"stage", "reason"}
    assert "reporter" not in TOLD["refusion_rejected_total"]


def test_there_is_a_dashboard_for_each_thing_to_be_seen():
    assert DASHBOARDS.keys() == {"flow", "lag", "corrections", "dead-letters", "money", "brokers"}
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yml").read_text())
    (uid,) = {source["uid"] for source in sources["datasources"]}
    for dashboard in DASHBOARDS.values():
        watched = [panel for panel in dashboard["panels"] if "targets" in panel]
        assert {panel["datasource"]["uid"] for panel in watched} == {uid}


def test_dashboards_and_settings_are_where_grafana_and_prometheus_look():
    mounted = {
        volume.split(":")[1]: ROOT / volume.split(":")[0]
        for name in ("prometheus", "grafana", "kafka-ui")
        for volume in COMPOSE[name]["volumes"]
        if volume.startswith("./")
    }
    assert all(path.exists() for path in mounted.values())
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/refusion.yml").read_text())
    (path,) = [each["options"]["path"] for each in provider["providers"]]
    assert mounted[path] == FOLDER / "dashboards"
    scraping = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert all(mounted[path] for path in scraping["rule_files"])
    (ours,) = [job for job in scraping["scrape_configs"] if job["job_name"] == "refusion"]
    names = {name for where in ours["dns_sd_configs"] for name in where["names"]}
    ports = [where["port"] for where in ours["dns_sd_configs"]]
    first = COMPOSE["worker"]["environment"]["REFUSION_METRICS_PORT"]
    assert names == {"worker", "worker-secured"} <= COMPOSE.keys()
    assert ports == list(range(first, first + len(ports)))


def test_each_alert_has_a_paragraph_that_says_what_to_do_and_there_are_no_others():
    text = HANDBOOK.split("\n## Alerts\n")[1].split("\n## ")[0]
    paragraphs = re.findall(r"^\*\*`(\w+)`\*\*: (.+?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in paragraphs] == [rule["alert"] for rule in RULES]
    assert all(len(paragraph.split()) > 10 for _, paragraph in paragraphs)
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "ticket"}


def test_what_shows_topics_masks_what_may_hold_a_cpr_number_and_writes_nothing():
    (cluster,) = yaml.safe_load((FOLDER / "kafka-ui.yml").read_text())["kafka"]["clusters"]
    assert cluster["readOnly"] is True
    whole = [rule for rule in cluster["masking"] if not {"fields", "fieldsNamePattern"} & set(rule)]
    for name in ("refusion.reports.raw", "refusion.reports.raw.kmd", "r2.reports.raw"):
        for part in ("topicValuesPattern", "topicKeysPattern"):
            assert any(re.fullmatch(rule.get(part, ""), name) for rule in whole)
    for name in ("refusion.citizens", "refusion.dead-letters", "r2.citizens"):
        assert any(re.fullmatch(rule["topicValuesPattern"], name) for rule in whole)
    assert not any(re.fullmatch(rule["topicValuesPattern"], "r2.reports") for rule in whole)
    texts = [panel for panel in DASHBOARDS["brokers"]["panels"] if panel["type"] == "text"]
    explained = "".join(panel["options"]["content"] for panel in texts)
    assert all(f"`{topic.name}`" in explained for topic in TOPICS)


def fields_of(schema):
    """Yield each field of a schema with what is said of it, however deep it is."""
    if isinstance(schema, list):
        for each in schema:
            yield from fields_of(each)
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield name, field.get("description", "")
        for each in schema.values():
            yield from fields_of(each)


def test_each_published_field_with_a_cpr_number_is_left_out_where_topics_are_shown():
    (cluster,) = yaml.safe_load((FOLDER / "kafka-ui.yml").read_text())["kafka"]["clusters"]
    (rule,) = [rule for rule in cluster["masking"] if "fieldsNamePattern" in rule]
    assert (rule["type"], rule["topicValuesPattern"]) == ("REMOVE", ".*")
    fields = {field for schema in schemas().values() for field in fields_of(schema)}
    numbers = {
        name for name, said in fields if re.search("cpr|sealed", f"{name} {said}".casefold())
    }
    assert numbers >= {"cpr", "cpr_sealed", "other_sealed"}
    left_out = {name for name, _ in fields if re.fullmatch(rule["fieldsNamePattern"], name)}
    assert left_out == numbers


@pytest.mark.long
def test_prometheus_takes_the_rules_and_their_own_tests_hold():
    promtool = shutil.which("promtool")
    if promtool is None and not os.environ.get("REFUSION_TEST_ALL"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    assert promtool is not None, "promtool is missing: apt-get install prometheus"
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run(
            [promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    asked = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in tests
        for case in test["alert_rule_test"]
    ]
    assert {(rule["alert"], loud) for rule in RULES for loud in (True, False)} == set(asked)
