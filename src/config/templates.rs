//! Finds the operator's texts, templates and logos on disk. What they say is judged by who uses them.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::compose::{Kind, Logo, Overrides};

/// No text or template is bigger, octets.
const SIZE_LIMIT: u64 = 256 * 1024;

impl Config {
    /// What `templates_dir` holds: `text/`, `web/` and `mail/` for all controllers, `<controller>/text/` and so on for
    /// one; and the controllers' logos.
    pub fn overrides(&self) -> Result<Overrides, ConfigError> {
        let mut overrides = Overrides::default();
        self.read_logos(&mut overrides)?;
        let Some(top) = &self.templates_dir else { return Ok(overrides) };
        let mut faults = Vec::new();
        for (name, path) in entries(top)? {
            match kind(&name) {
                Some(kind) => read(&mut overrides, None, kind, &path, &mut faults)?,
                None if path.is_dir() => {
                    for (inner, path) in entries(&path)? {
                        match kind(&inner) {
                            Some(kind) => read(&mut overrides, Some(&name), kind, &path, &mut faults)?,
                            None => faults.push(misplaced(&path)),
                        }
                    }
                }
                None => faults.push(misplaced(&path)),
            }
        }
        if faults.is_empty() { Ok(overrides) } else { Err(ConfigError::Faults(top.clone(), faults)) }
    }

    fn read_logos(&self, overrides: &mut Overrides) -> Result<(), ConfigError> {
        for controller in &self.controllers {
            let Some(path) = &controller.brand.logo else { continue };
            let octets = std::fs::read(path).map_err(|error| ConfigError::Read(path.clone(), error))?;
            let logo = Logo::new(&path.to_string_lossy(), octets)
                .map_err(|fault| ConfigError::Faults(path.clone(), vec![format!("controller {:?}: the logo {fault}", controller.key)]))?;
            overrides.add_logo(&controller.key, logo);
        }
        Ok(())
    }
}

fn read(overrides: &mut Overrides, controller: Option<&str>, kind: Kind, dir: &Path, faults: &mut Vec<String>) -> Result<(), ConfigError> {
    for (name, path) in entries(dir)? {
        let told = |error| ConfigError::Read(path.clone(), error);
        if std::fs::metadata(&path).map_err(told)?.len() > SIZE_LIMIT {
            faults.push(format!("{}: is bigger than {} KiB", path.display(), SIZE_LIMIT / 1024));
            continue;
        }
        overrides.add(controller, kind, &name, std::fs::read_to_string(&path).map_err(told)?);
    }
    Ok(())
}

/// What is in a directory, in the order of names, without hidden files such as `.git` and without what explains it.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, ConfigError> {
    let told = |error| ConfigError::Read(dir.to_owned(), error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "README.md" {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn misplaced(path: &Path) -> String {
    format!("{}: is neither text/, web/ or mail/ nor in one of them; see templates/README.md", path.display())
}
