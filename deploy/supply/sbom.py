"""List what is in the binary, as a CycloneDX file that is the same wherever it is made: sbom.py TARGET FILE

`cargo tree` says which crates are compiled into it, with the features in force and without what only tests, builds or
macros need; `cargo metadata` says what they are, and Cargo.lock the hash of each as downloaded.
"""

import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


def said(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def inside(target: str) -> set[tuple[str, str]]:
    """Name and version of each crate that is compiled into the binary."""
    edges = ("--edges", "normal,no-proc-macro")
    lines = said("cargo", "tree", "--locked", "--target", target, *edges, "--prefix", "none", "--format", "{p}")
    return {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, lines.splitlines())}


def component(package: dict, checksum: str | None, kind: ComponentType) -> Component:
    """A crate, under a name that holds no path of this machine."""
    purl = PackageURL("cargo", None, package["name"], package["version"])
    repository = package["repository"]
    # Older crates write a slash for a choice, which is none of SPDX.
    terms = (package["license"] or "").replace("/", " OR ")
    return Component(
        type=kind,
        name=package["name"],
        version=package["version"],
        bom_ref=str(purl),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(terms)] if terms else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(repository))]
        if repository
        else [],
    )


def standard_library() -> Component:
    """What every Rust program has in it, and cargo does not list."""
    version = said("rustc", "--version").split()[1]
    purl = PackageURL("generic", None, "rust-std", version)
    return Component(
        type=ComponentType.LIBRARY,
        name="rust-std",
        version=version,
        bom_ref=str(purl),
        purl=purl,
        description="Rust's standard library, with the musl libc that comes with it",
        licenses=[LicenseFactory().make_from_string("MIT OR Apache-2.0")],
    )


def bill(target: str) -> Bom:
    """The whole list, with who needs whom."""
    wanted = inside(target)
    metadata = json.loads(said("cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}"))
    lock = Path("Cargo.lock").read_bytes()
    locked = tomllib.loads(lock.decode())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    root = metadata["resolve"]["root"]
    parts = {
        package["id"]: component(
            package,
            checksums[package["name"], package["version"]],
            ComponentType.APPLICATION if package["id"] == root else ComponentType.LIBRARY,
        )
        for package in metadata["packages"]
        if (package["name"], package["version"]) in wanted
    }
    if len(parts) != len(wanted):
        sys.exit(f"cargo tree and cargo metadata do not list the same crates: {len(wanted)} and {len(parts)}.")
    std = standard_library()
    bom = Bom(
        # The same list has the same number.
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{parts[root].purl} {target} {std.purl} {lock.hex()}"),
        metadata=BomMetaData(
            component=parts[root],
            timestamp=datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC),
            properties=[Property(name="cdx:rustc:sbom:target:triple", value=target)],
        ),
        components=[std, *(part for name, part in parts.items() if name != root)],
    )
    for node in metadata["resolve"]["nodes"]:
        if node["id"] in parts:
            needs = [
                parts[needed["pkg"]]
                for needed in node["deps"]
                if needed["pkg"] in parts and any(kind["kind"] is None for kind in needed["dep_kinds"])
            ]
            bom.register_dependency(parts[node["id"]], [*needs, *([std] if node["id"] == root else [])])
    return bom


def main(target: str, file: str) -> None:
    text = JsonV1Dot6(bill(target)).output_as_string(indent=1) + "\n"
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault:
        sys.exit(f"the list of what is in the binary is no CycloneDX: {fault}")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)
    print(f"{file}: {len(json.loads(text)['components'])} components", file=sys.stderr)


main(*sys.argv[1:])
