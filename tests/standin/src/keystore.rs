//! The keys of one issuer, and the cache of all keys in the directory given with `--dir`.

use crate::keys::{Alg, Key};
use crate::pem;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A key as it lies in the directory.
#[derive(Serialize, Deserialize)]
struct Stored {
    kid: String,
    alg: Alg,
    pem: String,
}

#[derive(Default)]
struct Keys {
    /// In the JWKS; the last one of an algorithm signs.
    published: Vec<Arc<Key>>,
    /// Removed from the JWKS, but tests may still sign with them by naming the kid.
    retired: Vec<Arc<Key>>,
}

pub struct Issuer {
    pub name: String,
    file: PathBuf,
    keys: Mutex<Keys>,
}

pub struct Keystore {
    folder: PathBuf,
    /// Keys in no JWKS, one for each algorithm: for tokens with a wrong signature.
    foreign: Mutex<HashMap<&'static str, Arc<Key>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(path: &Path) -> Result<Option<Vec<Key>>, String> {
    let failed = |e: String| format!("{}: {e}", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e.to_string())),
    };
    let stored: Vec<Stored> = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
    let keys: Result<_, String> = stored
        .into_iter()
        .map(|s| Key::load(s.kid, s.alg, pem::parse_private_key(&s.pem)?))
        .collect();
    keys.map(Some).map_err(failed)
}

fn write<'a>(path: &Path, keys: impl Iterator<Item = &'a Key>) -> Result<(), String> {
    let stored: Vec<Stored> = keys
        .map(|k| Stored { kid: k.kid.clone(), alg: k.alg, pem: pem::private_key(&k.pkcs8) })
        .collect();
    let text = serde_json::to_string_pretty(&stored).map_err(|e| e.to_string())?;
    pem::write_private(path, &text)
}

impl Keystore {
    pub fn open(dir: &Path) -> Result<Self, String> {
        let folder = dir.join("keys");
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self { folder, foreign: Mutex::default() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// The single key kept under this name, made if it is not there.
    pub fn single(&self, name: &str, alg: Alg) -> Result<Key, String> {
        let path = self.file(name);
        if let Some(key) = read(&path)?.and_then(|keys| keys.into_iter().find(|k| k.alg == alg)) {
            return Ok(key);
        }
        let key = Key::generate(alg)?;
        write(&path, std::iter::once(&key))?;
        Ok(key)
    }

    /// The keys of an issuer as they were when the directory was last used, or new ones.
    pub fn issuer(&self, name: &str) -> Result<Issuer, String> {
        let file = self.file(&format!("issuer-{name}"));
        let published = match read(&file)? {
            Some(keys) => keys,
            None => {
                let keys =
                    Alg::FIRST.into_iter().map(Key::generate).collect::<Result<Vec<_>, _>>()?;
                write(&file, keys.iter())?;
                keys
            }
        };
        let published = published.into_iter().map(Arc::new).collect();
        let keys = Mutex::new(Keys { published, retired: Vec::new() });
        Ok(Issuer { name: name.to_owned(), file, keys })
    }

    /// A key that is in no JWKS. Made when first asked for: most runs never need it.
    pub fn foreign(&self, alg: Alg) -> Result<Arc<Key>, String> {
        let mut foreign = lock(&self.foreign);
        if let Some(key) = foreign.get(alg.name()) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.single(&format!("foreign-{}", alg.name()), alg)?);
        foreign.insert(alg.name(), Arc::clone(&key));
        Ok(key)
    }
}

impl Issuer {
    pub fn published(&self) -> Vec<Arc<Key>> {
        lock(&self.keys).published.clone()
    }

    /// The key that signs now for this algorithm, or the one with this kid, even if removed.
    pub fn signer(&self, alg: Alg, kid: Option<&str>) -> Result<Arc<Key>, String> {
        let keys = lock(&self.keys);
        let found = match kid {
            Some(kid) => keys.published.iter().chain(&keys.retired).find(|k| k.kid == kid),
            None => keys.published.iter().rev().find(|k| k.alg == alg),
        };
        found.cloned().ok_or_else(|| match kid {
            Some(kid) => format!("{} has no key {kid}", self.name),
            None => format!("{} has no key for {}", self.name, alg.name()),
        })
    }

    /// Publishes a new key; without `keep_old` it is then the only one of its algorithm.
    pub fn rotate(&self, alg: Alg, keep_old: bool) -> Result<Arc<Key>, String> {
        let key = Arc::new(Key::generate(alg)?);
        let mut keys = lock(&self.keys);
        if !keep_old {
            keys.retire(|k| k.alg == alg);
        }
        keys.published.push(Arc::clone(&key));
        write(&self.file, keys.published.iter().map(Arc::as_ref))?;
        Ok(key)
    }

    /// Takes a key out of the JWKS; says whether it was there.
    pub fn remove(&self, kid: &str) -> Result<bool, String> {
        let mut keys = lock(&self.keys);
        let removed = keys.retire(|k| k.kid == kid);
        write(&self.file, keys.published.iter().map(Arc::as_ref))?;
        Ok(removed > 0)
    }
}

impl Keys {
    fn retire(&mut self, matches: impl Fn(&Key) -> bool) -> usize {
        let (out, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.published).into_iter().partition(|k| matches(k));
        let count = out.len();
        self.published = stay;
        self.retired.extend(out);
        count
    }
}
