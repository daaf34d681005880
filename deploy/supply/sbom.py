"""List what is in the binary, as a CycloneDX file that is the same wherever it is made: sbom.py TARGET FILE

Which crates that are, linked.py says; Cargo.lock has the hash of each as downloaded.
"""

import json
import os
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

from linked import crates, rust, terms

def component(package: dict, checksum: str | None, kind: ComponentType) -> Component:
    """A crate, under a name that holds no path of this machine."""
    purl = PackageURL("cargo", None, package["name"], package["version"])
    repository = package["repository"]
    return Component(
        type=kind,
        name=package["name"],
        version=package["version"],
        bom_ref=str(purl),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(terms(package))] if terms(package) else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(repository))]
        if repository
        else [],
    )


def standard_library() -> Component:
    """What every Rust program has in it, and cargo does not list."""
    version = rust()
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
    packages, resolve = crates(target)
    lock = Path("Cargo.lock").read_bytes()
    locked = tomllib.loads(lock.decode())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in locked}
    root = resolve["root"]
    parts = {
        package["id"]: component(
            package,
            checksums[package["name"], package["version"]],
            ComponentType.APPLICATION if package["id"] == root else ComponentType.LIBRARY,
        )
        for package in packages
    }
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
    for node in resolve["nodes"]:
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
