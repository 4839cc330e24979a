//! PEM text of private keys, and files that nobody else can read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "-----END PRIVATE KEY-----\n";

/// PKCS#8 DER as PEM.
pub fn private_key(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = String::from(BEGIN);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(END);
    text
}

pub fn parse_private_key(text: &str) -> Result<Vec<u8>, String> {
    let body = text
        .trim_start()
        .strip_prefix(BEGIN.trim_end())
        .and_then(|rest| rest.trim_end().strip_suffix(END.trim_end()))
        .ok_or("not a PEM private key")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).map_err(|e| format!("bad PEM: {e}"))
}

/// Replaces a file at once (a reader sees the old or the new text, never a part), mode 0600.
pub fn write_private(path: &Path, text: &str) -> Result<(), String> {
    write(path, text, 0o600)
}

pub fn write_public(path: &Path, text: &str) -> Result<(), String> {
    write(path, text, 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    drop(file);
    std::fs::rename(&temporary, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    #[test]
    fn round_trip() {
        let der: Vec<u8> = (0..=255).collect();
        assert_eq!(super::parse_private_key(&super::private_key(&der)).unwrap(), der);
        assert!(super::parse_private_key("nonsense").is_err());
    }
}
