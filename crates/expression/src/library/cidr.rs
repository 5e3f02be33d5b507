//! Arithmetic on address prefixes (RFC 4632, RFC 4291), as infrastructure languages have it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A prefix such as `10.0.0.0/8`, as the number of its first address.
struct Prefix {
    first: u128,
    length: u32,
    /// 32 or 128.
    width: u32,
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a prefix such as 10.0.0.0/8");
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (number, width) = number(address);
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let length: u32 = length.parse().map_err(|_| wrong())?;
        if length > width {
            return Err(wrong());
        }
        let mut prefix = Self {
            first: 0,
            length,
            width,
        };
        prefix.first = number & !prefix.host_mask();
        Ok(prefix)
    }

    fn host_bits(&self) -> u32 {
        self.width - self.length
    }

    fn host_mask(&self) -> u128 {
        1u128
            .checked_shl(self.host_bits())
            .map_or(u128::MAX, |size| size - 1)
    }

    fn address(&self, number: u128) -> IpAddr {
        if self.width == 32 {
            // The upper bits are zero: the number lies in the prefix.
            IpAddr::V4(Ipv4Addr::from(number as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(number))
        }
    }
}

fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// Address `number` of the prefix; negative numbers count from its end.
pub(super) fn host(prefix: &str, number: i64) -> Result<String, String> {
    let parsed = Prefix::parse(prefix)?;
    let distance = u128::from(number.unsigned_abs());
    let inside = if number >= 0 {
        distance <= parsed.host_mask()
    } else {
        distance - 1 <= parsed.host_mask()
    };
    if !inside {
        return Err(format!("prefix {prefix} has no address number {number}"));
    }
    let offset = if number >= 0 {
        distance
    } else {
        parsed.host_mask() - (distance - 1)
    };
    Ok(parsed.address(parsed.first | offset).to_string())
}

/// Subnet `number` of those that are `bits` longer than the prefix.
pub(super) fn subnet(prefix: &str, bits: i64, number: i64) -> Result<String, String> {
    let parsed = Prefix::parse(prefix)?;
    let bits = u32::try_from(bits)
        .ok()
        .filter(|bits| *bits <= parsed.host_bits())
        .ok_or_else(|| format!("prefix {prefix} cannot be {bits} bits longer"))?;
    let count = 1u128.checked_shl(bits);
    let number = u128::try_from(number)
        .ok()
        .filter(|number| count.is_none_or(|count| *number < count))
        .ok_or_else(|| format!("{bits} more bits give no subnet number {number}"))?;
    let shift = parsed.host_bits() - bits;
    let offset = number.checked_shl(shift).unwrap_or(0);
    Ok(format!(
        "{}/{}",
        parsed.address(parsed.first | offset),
        parsed.length + bits
    ))
}

/// The netmask of an IPv4 prefix in dotted form.
pub(super) fn netmask(prefix: &str) -> Result<String, String> {
    let parsed = Prefix::parse(prefix)?;
    if parsed.width != 32 {
        return Err(format!("{prefix} is an IPv6 prefix, which has no netmask"));
    }
    let mask = !parsed.host_mask() & u128::from(u32::MAX);
    Ok(parsed.address(mask).to_string())
}

/// The address, or the whole of the other prefix, lies in the prefix.
pub(super) fn contains(prefix: &str, other: &str) -> Result<bool, String> {
    let outer = Prefix::parse(prefix)?;
    let inner = if other.contains('/') {
        Prefix::parse(other)?
    } else {
        let address: IpAddr = other
            .parse()
            .map_err(|_| format!("`{other}` is not an address or prefix"))?;
        let (first, width) = number(address);
        Prefix {
            first,
            length: width,
            width,
        }
    };
    let same = outer.width == inner.width && inner.length >= outer.length;
    Ok(same && inner.first & !outer.host_mask() == outer.first)
}
