//! One block, and the order in which a home tries them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A block `127.A.B.0/24`, A from 64 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Block(u16);

impl Block {
    /// How many blocks there are.
    pub const COUNT: u16 = 64 * 256;
    /// How many addresses of a block are given out.
    pub const ADDRESSES: u8 = 250;

    /// All blocks in the order in which a home tries them: from a place given by its name, in steps
    /// that are coprime to the count, so that homes that begin close to each other part at once.
    pub fn candidates(home: &str) -> impl Iterator<Item = Self> {
        let hash = fnv1a(home.as_bytes());
        let start = u32::try_from(hash % u64::from(Self::COUNT)).unwrap_or(0);
        // The count is a power of two, so every odd step reaches every block.
        let step = u32::try_from((hash >> 32) % u64::from(Self::COUNT)).unwrap_or(0) | 1;
        (0..u32::from(Self::COUNT)).map(move |n| {
            let index = (start + n * step) % u32::from(Self::COUNT);
            Self(u16::try_from(index).unwrap_or(0))
        })
    }

    /// The address number `host` of the block.
    pub fn address(self, host: u8) -> Ipv4Addr {
        let [high, low] = self.0.to_be_bytes();
        Ipv4Addr::new(127, 64 + high, low, host)
    }

    /// The home's own addresses, which are never given to a service: number 0 to 3.
    /// 0 is that of the event address.
    pub fn reserved(self, number: u8) -> Ipv4Addr {
        self.address(Self::ADDRESSES + 1 + number.min(3))
    }

    /// The name of the abstract socket that marks the block as taken, without the leading NUL.
    pub fn socket_name(self) -> String {
        let [_, a, b, _] = self.address(0).octets();
        format!("consort-block-127.{a}.{b}")
    }

    /// The block of an address, if it is in one.
    pub fn of(address: Ipv4Addr) -> Option<Self> {
        match address.octets() {
            [127, a @ 64..=127, b, _] => Some(Self(u16::from_be_bytes([a - 64, b]))),
            _ => None,
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/24", self.address(0))
    }
}

impl FromStr for Block {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .strip_suffix("/24")
            .and_then(|address| address.parse::<Ipv4Addr>().ok());
        let block = parsed
            .filter(|address| address.octets()[3] == 0)
            .and_then(Self::of);
        block.ok_or_else(|| {
            format!(
                "{text:?} is no address block; they are written 127.A.B.0/24 with A from 64 to 127"
            )
        })
    }
}

impl TryFrom<String> for Block {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Block> for String {
    fn from(block: Block) -> Self {
        block.to_string()
    }
}

/// FNV-1a, 64 bit: stable over versions and machines, unlike the standard library's hasher.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
