"""Files: the archive of Herschel, folders that are watched, mount, WebDAV, fsspec, the doctor."""
