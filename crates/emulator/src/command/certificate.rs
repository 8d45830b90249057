//! Which certificate the relay has.

use std::{fs, path::PathBuf};

use super::{args::Args, config::Config, folder};
use crate::tls::TlsOptions;

/// The certificate that is given, or the folder of the authority that makes one.
pub(crate) fn of(
    args: &Args,
    config: &Config,
) -> Result<(Option<TlsOptions>, Option<PathBuf>), String> {
    let read = |file: &PathBuf| {
        fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    };
    let cert = args.cert.as_ref().or(config.cert.as_ref());
    let key = args.key_file.as_ref().or(config.key_file.as_ref());
    match (cert, key) {
        (Some(cert), Some(key)) => {
            let tls = TlsOptions::Given {
                certificate: read(cert)?,
                key: read(key)?,
            };
            Ok((Some(tls), None))
        }
        (None, None) => {
            let folder = args.cert_dir.clone().or_else(|| config.cert_dir.clone());
            let folder = match folder {
                Some(folder) => folder,
                None => folder::data()?,
            };
            let tls = TlsOptions::Kept {
                folder: folder.clone(),
            };
            Ok((Some(tls), Some(folder)))
        }
        _ => Err("a certificate and its key belong together: give cert and keyFile".to_owned()),
    }
}
