//! The services of the customer-360 example
