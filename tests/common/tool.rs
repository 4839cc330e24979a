//! The command-line tool, called as a person calls it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tool reads files")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::keys::{self, SigningKey, jwks};
use super::settings::minimal;

/// A folder of the test's own, with the files of [`minimal`].
pub struct Folder {
    pub path: PathBuf,
    pub key: SigningKey,
}

/// What a call comes to.
#[derive(Debug)]
pub struct Output {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let key = SigningKey::rsa();
        let folder = Self { path, key };
        folder.put("keys.json", jwks(&[folder.key.jwk("k1")]));
        folder.put("ml-prod.json", keys::KEY_FILE);
        folder.put("vertex.json", minimal().to_string());
        folder
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path.join(name), text).unwrap();
    }

    pub fn call(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_haproxy-vertex"))
            .args(arguments)
            .current_dir(&self.path)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Output {
            status: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}
