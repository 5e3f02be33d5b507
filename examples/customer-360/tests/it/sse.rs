use customer_360::sse::{Event, Parser};
use proptest::prelude::*;

fn event(id: &str, data: &str) -> Event {
    Event {
        id: id.to_owned(),
        data: data.to_owned(),
    }
}

#[test]
fn reads_events_as_the_standard_says() {
    let stream = "retry: 200\n: comment\n\nid: 1\ndata: a\ndata:b\n\ndata\n\nid\ndata: c\r\n\r\nid: 9\n\ndata: cut";
    let events = Parser::default().feed(stream.as_bytes()).unwrap();
    assert_eq!(events, [event("1", "a\nb"), event("1", ""), event("", "c")]);
}

#[test]
fn refuses_a_line_without_end() {
    assert!(
        Parser::default()
            .feed(&vec![b'x'; 2 * 1024 * 1024])
            .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn reads_the_same_in_pieces_of_any_size(stream in "(id: [0-9]\n|data: [a-z]{0,4}(\r\n|\n|\r)|(\r\n|\n|\r)|:x\n){0,20}", cut in 0_usize..100) {
        let whole = Parser::default().feed(stream.as_bytes()).unwrap();
        let cut = cut.min(stream.len());
        let mut parser = Parser::default();
        let mut pieces = parser.feed(&stream.as_bytes()[..cut]).unwrap();
        pieces.extend(parser.feed(&stream.as_bytes()[cut..]).unwrap());
        prop_assert_eq!(pieces, whole);
    }
}
