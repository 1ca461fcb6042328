//! Fresh randomness of the operating system: the one place it comes from. Pure rooms take it as an argument.

/// `N` random octets, fit for keys.
///
/// # Panics
/// When the system has no randomness to give. Then nothing this program does would be safe.
pub fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).expect("the system's random source works");
    octets
}
