//! The orders, and their XML.

use std::fmt::Write;

use crate::cdnow::{Purchase, calibration_end};

/// All purchases after the calibration period, in the order in which they were made.
#[derive(Debug)]
pub struct Book {
    orders: Vec<Purchase>,
}

impl Book {
    /// The orders among these purchases; the first has number 1.
    #[must_use]
    pub fn new(purchases: Vec<Purchase>) -> Self {
        let mut orders = purchases;
        orders.retain(|purchase| purchase.date > calibration_end());
        // Stable, so that the numbers depend on the file only.
        orders.sort_by_key(|purchase| purchase.date);
        Self { orders }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.orders.len() as u32
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The order with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Purchase> {
        let index = number.checked_sub(1)?;
        self.orders.get(index as usize)
    }

    /// The orders of a customer among the first `placed`, with their numbers.
    pub fn of_customer(
        &self,
        customer: u32,
        placed: u32,
    ) -> impl Iterator<Item = (u32, &Purchase)> {
        (1..)
            .zip(&self.orders)
            .take(placed as usize)
            .filter(move |(_, order)| order.customer == customer)
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// One order as a document.
#[must_use]
pub fn order_document(number: u32, order: &Purchase) -> String {
    let mut xml = DECLARATION.to_owned();
    write_order(&mut xml, number, order);
    xml
}

/// The orders of a customer as a document.
#[must_use]
pub fn list_document<'a>(
    customer: u32,
    orders: impl Iterator<Item = (u32, &'a Purchase)>,
) -> String {
    let mut list = String::new();
    let mut count = 0;
    for (number, order) in orders {
        write_order(&mut list, number, order);
        count += 1;
    }
    format!("{DECLARATION}<orders customer=\"{customer}\" count=\"{count}\">{list}</orders>")
}

/// Only numbers and dates are written, so nothing needs to be escaped.
fn write_order(xml: &mut String, number: u32, order: &Purchase) {
    let Purchase {
        customer,
        date,
        quantity,
        cents,
    } = order;
    let (dollars, rest) = (cents / 100, cents % 100);
    // Writing to a string cannot fail.
    let _ = write!(
        xml,
        "<order id=\"{number}\"><customer>{customer}</customer><date>{date}</date>\
         <quantity>{quantity}</quantity><value>{dollars}.{rest:02}</value></order>"
    );
}
