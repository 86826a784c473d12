"""Files on local disks and object stores: list, open, and write so that a file is whole or absent.

URLs are what fsspec takes: a local path, `s3://...`, `gs://...`, `http(s)://...`, `memory://...`.
Local paths stay paths (no `file://`): error messages and manifests look like what was given.
"""

from wavemill.storage.conditions import compares, look, put_if, remove_if
from wavemill.storage.disks import FULL, is_of_the_file, remedy
from wavemill.storage.faults import hide_secrets, holds_secrets, shown
from wavemill.storage.reading import (
    FileInfo,
    each_name,
    exists,
    fixed_part,
    glob,
    has_glob,
    info,
    is_file,
    is_folder,
    is_within,
    list_files,
    list_names,
    open_read,
    read_bytes,
    sha256_of,
    sizes,
)
from wavemill.storage.store import Written
from wavemill.storage.urls import (
    folder_url,
    is_local,
    join,
    local_path,
)
from wavemill.storage.writing import (
    PARTIAL,
    check_writable,
    is_partial,
    make_folder,
    never_make,
    remove,
    remove_empty_folders,
    remove_files,
    remove_partial,
    write_atomically,
    write_bytes,
    write_text,
)

__all__ = [
    "FULL",
    "PARTIAL",
    "FileInfo",
    "Written",
    "check_writable",
    "compares",
    "each_name",
    "exists",
    "fixed_part",
    "folder_url",
    "glob",
    "has_glob",
    "hide_secrets",
    "holds_secrets",
    "info",
    "is_file",
    "is_folder",
    "is_local",
    "is_of_the_file",
    "is_partial",
    "is_within",
    "join",
    "list_files",
    "list_names",
    "local_path",
    "look",
    "make_folder",
    "never_make",
    "open_read",
    "put_if",
    "read_bytes",
    "remedy",
    "remove",
    "remove_empty_folders",
    "remove_files",
    "remove_if",
    "remove_partial",
    "sha256_of",
    "shown",
    "sizes",
    "write_atomically",
    "write_bytes",
    "write_text",
]
