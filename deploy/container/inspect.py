"""Unpack an image of `docker save` as an engine does, and print its configuration: inspect.py ARCHIVE FOLDER"""

import json
import sys
import tarfile

archive_path, folder = sys.argv[1:]
with tarfile.open(archive_path) as archive:
    (image,) = json.load(archive.extractfile("manifest.json"))
    config = json.load(archive.extractfile(image["Config"]))
    size = 0
    for layer in image["Layers"]:
        with tarfile.open(fileobj=archive.extractfile(layer)) as files:
            members = files.getmembers()
            size += sum(member.size for member in members)
            files.extractall(folder, members)
print(json.dumps({"size": size, "tags": image["RepoTags"], **config["config"]}))
