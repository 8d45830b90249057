//! Where a program keeps its data.

use std::{env, path::PathBuf};

/// The folder for this program's data, as the system wants it.
pub(crate) fn data() -> Result<PathBuf, String> {
    let home = || env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let base = if cfg!(windows) {
        env::var_os("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| home().map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("hyco-relay")).ok_or_else(|| {
        "there is no home folder to keep certificates in: choose one with --cert-dir, or use --no-tls"
            .to_owned()
    })
}
