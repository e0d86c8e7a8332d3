//! Protocol buffers on the wire: numbered fields, one after the other, with the complaints of Go's generated readers.

/// What a field carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datum<'b> {
    /// A whole number or a truth value.
    Number(u64),
    /// The eight bytes of a fraction.
    Double(u64),
    /// Text, bytes or a message.
    Bytes(&'b [u8]),
}

/// What is left to read of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'b>(&'b [u8]);

const CUT: &str = "unexpected EOF";

impl<'b> Fields<'b> {
    pub fn of(message: &'b [u8]) -> Self {
        Self(message)
    }

    /// The next field: its number, and what it carries.
    fn field(&mut self) -> Result<(u64, Datum<'b>), String> {
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > u64::from(u32::MAX >> 3) {
            return Err(format!("proto: illegal tag {number} (wire type {})", key & 7));
        }
        let datum = match key & 7 {
            0 => Datum::Number(self.varint()?),
            1 => Datum::Double(self.fixed::<8>().map(u64::from_le_bytes)?),
            2 => {
                let length =
                    usize::try_from(self.varint()?).map_err(|_| "proto: negative length found during unmarshaling")?;
                Datum::Bytes(self.take(length)?)
            }
            5 => Datum::Number(self.fixed::<4>().map(u32::from_le_bytes)?.into()),
            other => return Err(format!("proto: illegal wireType {other}")),
        };
        Ok((number, datum))
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed::<1>()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("proto: integer overflow".to_owned())
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| CUT.to_owned())
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Datum<'b>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u64, Datum<'_>)>, String> {
        Fields::of(message).collect()
    }

    #[test]
    fn fields_are_read_one_after_the_other() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let expected =
            vec![(1, Datum::Number(150)), (2, Datum::Bytes(b"hi")), (3, Datum::Number(1)), (4, Datum::Double(2))];
        assert_eq!(read(&message), Ok(expected));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let table: [(&[u8], &str); 6] = [
            (&[0x08], CUT),
            (&[0x0a, 5, b'x'], CUT),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], CUT),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "proto: integer overflow"),
            (&[0x0b], "proto: illegal wireType 3"),
            (&[0x00, 0x01], "proto: illegal tag 0 (wire type 0)"),
        ];
        for (message, error) in table {
            assert_eq!(read(message), Err(error.to_owned()), "{message:?}");
        }
    }
}
