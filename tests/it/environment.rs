//! What `tests/run` and `tests/requirements` tell the tests through the environment; read here and nowhere else.
//!
//! Without `tests/run` (a plain `cargo test`) the defaults point to where it once installed the tools.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script or file of `tests/peers`.
pub(crate) fn peer_file(name: &str) -> PathBuf {
    repository().join("tests/peers").join(name)
}

/// A Python interpreter that has dkimpy.
pub(crate) fn python() -> PathBuf {
    installed("CONSENTRY_TEST_PYTHON", "venv/bin/python")
}

/// The directory whose `node_modules` has nodemailer.
pub(crate) fn node_modules() -> PathBuf {
    installed("CONSENTRY_TEST_NODE_MODULES", "node/node_modules")
}

/// `short`, or `long` under `tests/run --long`: rounds, messages, seconds.
pub(crate) fn long_or<T>(short: T, long: T) -> T {
    if variable("CONSENTRY_TEST_LONG").is_some() { long } else { short }
}

/// True where the store's tests are run on a PostgreSQL server: `CONSENTRY_TEST_DATABASE=postgres`.
pub(crate) fn on_postgres() -> bool {
    match variable("CONSENTRY_TEST_DATABASE").as_deref() {
        Some("postgres") => true,
        Some(other) => panic!("CONSENTRY_TEST_DATABASE={other}: it is postgres, or not set"),
        None => false,
    }
}

/// The seed of a test with dice: fresh, or the one that a failure printed, from `CONSENTRY_TEST_SEED`.
pub(crate) fn seed() -> u64 {
    let given = variable("CONSENTRY_TEST_SEED").map(|seed| seed.parse().expect("CONSENTRY_TEST_SEED is a number"));
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish())
}

/// Where `tests/requirements` wants its table.
pub(crate) fn requirements_table() -> Option<PathBuf> {
    variable("CONSENTRY_TEST_REQUIREMENTS").map(PathBuf::from)
}

/// Says something past the runner's capture: counts, and what is skipped.
pub(crate) fn tell(line: &str) {
    // Whole lines in one write, so that tests running beside each other do not mix theirs.
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).ok();
}

/// A place in `target/test-tools`, unless `name` says another one.
fn installed(name: &str, default: &str) -> PathBuf {
    let path = variable(name).map_or_else(|| repository().join("target/test-tools").join(default), PathBuf::from);
    assert!(path.exists(), "the test tools are not installed: run tests/run once");
    path
}

#[expect(clippy::disallowed_methods, reason = "the test command's settings arrive here")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
