use std::collections::BTreeSet;

use consort_portholder::addresses::{Block, BlockClaim, VirtualAddresses, claim, reclaim};
use proptest::prelude::*;

use crate::support::Home;

#[test]
fn two_homes_never_share_a_block() {
    let home = format!("/tmp/test-{}", std::process::id());
    let first = claim(&home, &[]).unwrap();
    let second = claim(&home, &[]).unwrap();
    assert_ne!(first.block(), second.block());
    assert!(reclaim(first.block()).unwrap().is_none());
    let (block, other) = (first.block(), second.block());
    drop(first);
    assert_eq!(
        claim(&home, &[other, block]).unwrap().block(),
        block,
        "what was owned before comes first, if it is free"
    );
}

#[test]
fn a_claim_lives_as_long_as_its_descriptor() {
    use std::os::fd::AsFd;
    let first = claim(&format!("/tmp/kept-{}", std::process::id()), &[]).unwrap();
    let (block, kept) = (first.block(), first.as_fd().try_clone_to_owned().unwrap());
    drop(first);
    assert!(reclaim(block).unwrap().is_none());
    let adopted = BlockClaim::adopt(block, kept).unwrap();
    assert_eq!(adopted.block(), block);
    let wrong: std::os::fd::OwnedFd = std::os::unix::net::UnixDatagram::unbound().unwrap().into();
    assert!(BlockClaim::adopt(block, wrong).is_none());
}

#[test]
fn the_holder_claims_as_many_as_are_needed() {
    let home = Home::start();
    let mut client = home.client();
    let one = client.blocks(1).unwrap();
    let three = client.blocks(3).unwrap();
    assert_eq!((&three[..1], three.len()), (&one[..], 3));
    assert_eq!(client.blocks(2).unwrap(), three);
    assert!(three.iter().all(|block| reclaim(*block).unwrap().is_none()));
    assert!(client.blocks(1000).is_err());
}

#[test]
fn blocks_are_written_and_read() {
    let all: BTreeSet<_> = Block::candidates("x").collect();
    assert_eq!(
        all.len(),
        usize::from(Block::COUNT),
        "every block is a candidate, once"
    );
    for block in [all.first().unwrap(), all.last().unwrap()] {
        assert_eq!(block.to_string().parse::<Block>().unwrap(), *block);
    }
    assert_eq!(all.first().unwrap().to_string(), "127.64.0.0/24");
    assert_eq!(all.last().unwrap().to_string(), "127.127.255.0/24");
    assert_eq!(
        all.last().unwrap().socket_name(),
        "consort-block-127.127.255"
    );
    for wrong in [
        "127.0.0.0/24",
        "127.128.0.0/24",
        "127.64.0.1/24",
        "127.64.0.0/16",
        "10.64.0.0/24",
        "",
        "x",
    ] {
        assert!(wrong.parse::<Block>().is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn addresses_are_stable_unique_and_inside_the_blocks(
        home in ".{0,20}",
        steps in prop::collection::vec((any::<bool>(), 0_u16..400), 0..700),
    ) {
        let blocks: Vec<_> = Block::candidates(&home).take(2).collect();
        let mut addresses = VirtualAddresses::default();
        for (allocate, name) in steps {
            let name = format!("services.s{name}");
            if allocate {
                let had = addresses.get(&name);
                let address = addresses.allocate(&blocks, &name).unwrap();
                prop_assert!(had.is_none_or(|had| had == address));
                prop_assert!(blocks.contains(&Block::of(address).unwrap()));
                prop_assert!((1..=Block::ADDRESSES).contains(&address.octets()[3]));
            } else {
                addresses.release(&name);
            }
            let distinct: BTreeSet<_> = addresses.iter().map(|(_, address)| address).collect();
            prop_assert_eq!(distinct.len(), addresses.iter().count());
        }
        let kept: VirtualAddresses = serde_json::from_str(&serde_json::to_string(&addresses).unwrap()).unwrap();
        prop_assert_eq!(kept, addresses);
    }
}

#[test]
fn a_full_home_says_that_it_needs_a_further_block() {
    let blocks: Vec<_> = Block::candidates("x").take(2).collect();
    let mut addresses = VirtualAddresses::default();
    for number in 0..250 {
        addresses
            .allocate(&blocks[..1], &number.to_string())
            .unwrap();
    }
    let error = addresses.allocate(&blocks[..1], "one more").unwrap_err();
    assert_eq!(
        error.to_string(),
        "all 250 addresses of this home's address blocks are given out; a further block is needed for one more"
    );
    assert_eq!(
        Block::of(addresses.allocate(&blocks, "one more").unwrap()),
        Some(blocks[1])
    );
    assert!((0..4).all(|number| {
        addresses
            .iter()
            .all(|(_, address)| address != blocks[0].reserved(number))
    }));
}
