"""Catalogue files: read whole, refused whole, with file and line."""

from pathlib import Path

import pytest

from ingest.catalog_faults import FAULTS_SHOWN_MAX, Fault, refusal
from ingest.catalog_file import catalog_source, read_catalog_path
from ingest.contracts.errors import CatalogError
from tests.unit.ingest.catalog_samples import NETWORK, catalog_of

EXAMPLE = Path(__file__).parents[3] / "deploy" / "catalogs" / "example.yaml"


def faults(text: str, name: str = "c.yaml") -> list[str]:
    """Return the lines of a refusal."""
    with pytest.raises(CatalogError) as caught:
        catalog_source([(name, text)])
    return str(caught.value).splitlines()


def test_the_example_is_valid() -> None:
    """What ships loads: three shops, a warehouse, eight articles."""
    catalog = read_catalog_path(EXAMPLE).catalog
    kinds = [site.kind for site in catalog.sites]
    assert (kinds.count("shop"), kinds.count("warehouse"), len(catalog.skus)) == (3, 1, 8)
    assert {policy.scope for policy in catalog.policies} == {
        "network",
        "site",
        "category",
        "sku",
        "sku_site",
    }


def test_values_are_text_first() -> None:
    """Zeros in front stay, `no` is a name, and numbers are numbers where they are wanted."""
    catalog = catalog_of("sites: [{site: no, name: 007}]\nskus: [{sku: 00123, pack_units: 12}]\n")
    assert (catalog.sites[0].site, catalog.sites[0].name) == ("no", "007")
    assert (catalog.skus[0].sku, catalog.skus[0].pack_units) == ("00123", 12)


@pytest.mark.parametrize(
    ("field", "expected_ms"),
    [
        ("lead_time_ms: 5", 5),
        ("lead_time_s: 1.5", 1_500),
        ("lead_time_minutes: 2", 120_000),
        ("lead_time_hours: 4", 14_400_000),
        ("lead_time_days: 2", 172_800_000),
    ],
)
def test_durations_may_have_other_units(field: str, expected_ms: int) -> None:
    """Seconds to days become milliseconds."""
    lane = f"  - {{from_site: A, to_site: B, {field}}}\n"
    catalog = catalog_of(f"sites: [{{site: A}}, {{site: B}}]\nlanes:\n{lane}")
    assert catalog.lanes[0].lead_time_ms == expected_ms


def test_a_date_says_when_a_channel_changes() -> None:
    """`valid_from` is a date with a zone."""
    text = NETWORK.replace("tare_g: 100", "valid_from: 2026-03-01T06:00:00+01:00")
    assert catalog_of(text).devices[0].channels[0].valid_from_ms == 1_772_341_200_000
    (fault,) = faults(NETWORK.replace("tare_g: 100", "valid_from: 2026-03-01"))
    assert fault.startswith("c.yaml:18: devices[0].channels[0].valid_from: ")
    assert "time zone" in fault
    (fault,) = faults(NETWORK.replace("tare_g: 100", "valid_from: tomorrow"))
    assert "no date" in fault


def test_a_channel_watches_a_shelf_or_a_backroom() -> None:
    """Another area is refused with its line, and what may be said instead."""
    text = NETWORK.replace("tare_g: 100", "area: backroom")
    assert catalog_of(text).devices[0].channels[0].area == "backroom"
    (fault,) = faults(NETWORK.replace("tare_g: 100", "area: attic"))
    assert fault.startswith("c.yaml:18: devices[0].channels[0].area: ")
    assert "'shelf' or 'backroom'" in fault


def test_all_faults_are_told_together_in_order() -> None:
    """Bad fields, bad durations and unknown sections of one file, by line."""
    text = (
        "sites:\n  - {site: A, color: red}\n  - {name: nameless}\nlanes:\n"
        "  - from_site: A\n    to_site: B\n    lead_time_hours: soon\nskuz: []\n"
    )
    told = faults(text)
    assert [line.split(": ")[0] for line in told] == [
        "c.yaml:2",
        "c.yaml:3",
        "c.yaml:7",
        "c.yaml:8",
    ]
    assert told[0] == "c.yaml:2: sites[0].color: no such field"
    assert told[1] == "c.yaml:3: sites[1].site: Field required"
    assert told[2] == "c.yaml:7: lanes[0].lead_time_hours: 'soon' is no number"
    assert "'skuz' is no section" in told[3]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("sites: [\n", 2, "no YAML"),
        ("- a\n", 1, "no sections"),
        ("sites: {site: A}\n", 1, "a list"),
        ("sites:\n  - {site: A,\n     site: B}\n", 3, "twice"),
        ("sites: [{site: A}]\nsites: []\n", 2, "twice"),
        ("sites: &s\n  - *s\n", 1, "too deep"),
        ("a: 1\n---\nb: 2\n", 2, "no YAML"),
        (
            "sites: [{site: A}]\nlanes:\n  - {lead_time_ms: 1, lead_time_s: 1}\n",
            3,
            "given twice",
        ),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    """Whatever is wrong with the YAML itself has a line, too."""
    assert any(f"c.yaml:{line}:" in told and words in told for told in faults(text))


def test_an_empty_file_does_not_empty_the_catalogue() -> None:
    """A catalogue without a site is refused: it would remove everything."""
    assert faults("") == ["a catalogue needs at least one site"]
    assert faults("# nothing\n") == ["a catalogue needs at least one site"]


CSV = {
    "sites.csv": "site,name,kind,parent_site\nW,,warehouse,\nS1,Shop,,W\n",
    "lanes.csv": "from_site,to_site,lead_time_hours\nW,S1,4\n",
    "skus.csv": (
        "sku,pack_units,unit_weight_mg,gtins\n0042,12,250000,4006381333931;14006381333938:12\n"
    ),
    "devices.csv": "device,site,kind\nscale-1,S1,scale\n",
    "assignments.csv": "device,channel,location,area,sku\n"
    "scale-1,a,A1,,0042\nscale-1,b,A2,backroom,0042\n",
    "policies.csv": "scope,site,min_units,max_units\nnetwork,,4,40\nsite,S1,5,\n",
    "channels.csv": "channel,url_variable\nduty,DUTY\nmail,file:/run/mail\n",
    "rules.csv": "rule,channels,sites,repeat_minutes\nall,duty;mail,S1,30\n",
}


def folder(path: Path, files: dict[str, str]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def test_a_folder_of_csv_is_a_catalogue(tmp_path: Path) -> None:
    """One file a section; lists and channels are put together."""
    source = read_catalog_path(folder(tmp_path, CSV))
    catalog = source.catalog
    assert [gtin.units for gtin in catalog.skus[0].gtins] == [1, 12]
    assert [assigned.channel for assigned in catalog.devices[0].channels] == ["a", "b"]
    assert [assigned.area for assigned in catalog.devices[0].channels] == ["shelf", "backroom"]
    assert catalog.policies[1].max_units is None
    assert catalog.rules[0].channels == ("duty", "mail")
    assert catalog.rules[0].repeat_ms == 1_800_000
    assert catalog.sites[0].kind == "warehouse"
    assert source.marks["devices", 0, "channels", 1].line == 3


def test_csv_and_yaml_may_stand_together(tmp_path: Path) -> None:
    """A folder may give some sections in YAML, even the same one in two files."""
    files = {"a.yaml": "network: {currency: CNY}\nsites: [{site: S2}]\n", "sites.csv": "site\nS1\n"}
    catalog = read_catalog_path(folder(tmp_path, files)).catalog
    assert {site.site for site in catalog.sites} == {"S1", "S2"}
    assert catalog.network.currency == "CNY"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("sites.csv", 'site\n"a\nb"\n', "sites.csv:2: sites[0].site"),
        ("lanes.csv", "from_site,to_site,lead_time_ms\n\nW,X,1\n", "lanes.csv:3: lanes[0].to_site"),
        ("skus.csv", "sku,pack\n0042,1\n", "skus.csv:2: skus[0].pack: no such field"),
        ("skus.csv", "sku\n0042,1,2\n", "skus.csv:2: the line has more cells"),
        ("assignments.csv", "device,channel\nq,a\n", "assignments.csv:2: there is no device 'q'"),
        ("site.csv", "site\nA\n", "site.csv:1: no file of a catalogue"),
        ("network.csv", "name\nA\nB\n", "network.csv:3: there is one network only"),
        ("policies.csv", 'scope\n"network\n', "policies.csv:1: this is no CSV"),
    ],
)
def test_csv_faults_have_file_and_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    """Each fault of a folder names the file and the line in it."""
    with pytest.raises(CatalogError) as caught:
        read_catalog_path(folder(tmp_path, CSV | {name: text}))
    assert any(line.startswith(told) for line in str(caught.value).splitlines()), caught.value


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file, an empty folder and foreign bytes are one sentence each."""
    with pytest.raises(CatalogError, match="can't be read"):
        read_catalog_path(tmp_path / "none.yaml")
    with pytest.raises(CatalogError, match="holds no YAML or CSV"):
        read_catalog_path(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="UTF-8"):
        read_catalog_path(tmp_path)


def test_a_flood_of_faults_is_cut() -> None:
    """At most so many lines are told, and how many more there are."""
    many = [Fault(("sites", number), f"fault {number:05}") for number in range(1_000)]
    lines = str(refusal(many, {})).splitlines()
    assert len(lines) == FAULTS_SHOWN_MAX + 1
    assert lines[-1] == f"and {1_000 - FAULTS_SHOWN_MAX} more"
