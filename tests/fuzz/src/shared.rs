//! What is written to a sink, kept.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// A place that keeps what is written to it.
#[derive(Clone, Default)]
pub struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    /// Makes sure that each line is a JSON object.
    pub fn is_json(&self) {
        let written = self.0.borrow();
        let text = std::str::from_utf8(&written).expect("JSON is UTF-8");
        for line in text.lines() {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(line) {
                panic!("this is no JSON: {error}\n{line}");
            }
        }
    }
}
