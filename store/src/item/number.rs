//! DynamoDB's numbers: exact decimals of up to 38 significant digits, 1E-130 to 9.99…E+125 in
//! magnitude, positive or negative, and zero.
//!
//! A number is kept in lowest terms (no trailing zeros in the coefficient, one zero), so that equal
//! numbers are equal bytes and `1`, `1.0` and `10E-1` are the same set member and the same key.
//! Addition and subtraction are exact: a result that needs more digits than fit is refused, never
//! rounded. [`Number::write_ordered`] gives bytes whose order is the numeric order, for sort keys.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most significant digits a number may have.
const MAX_DIGITS: u32 = 38;
/// The largest power of ten of a number's first digit.
const MAX_MAGNITUDE: i32 = 125;
/// The smallest power of ten of a number's first digit.
const MIN_MAGNITUDE: i32 = -130;

/// An exact decimal: `± coefficient × 10^exponent`.
///
/// Always in lowest terms; zero is never negative and has exponent 0. Deserialising trusts the
/// bytes, since they come from the store's own log, which only holds what [`FromStr`] accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Number {
    negative: bool,
    coefficient: u128,
    exponent: i16,
}

/// Why a text or a sum is not a number that DynamoDB can hold. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is empty.
    #[error("The parameter cannot be converted to a numeric value")]
    Empty,
    /// The text is no decimal number.
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NotANumber(String),
    /// The magnitude is above 9.99…E+125.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    /// The magnitude is below 1E-130, and not zero.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
    /// More than 38 significant digits.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooPrecise,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, coefficient: 0, exponent: 0 };

    /// `self + other`, exactly.
    ///
    /// # Errors
    /// When the exact sum has more than 38 digits or is out of range.
    pub fn checked_add(&self, other: &Self) -> Result<Self, NumberError> {
        if self.coefficient == 0 {
            return Ok(*other);
        }
        if other.coefficient == 0 {
            return Ok(*self);
        }
        let exponent = self.exponent.min(other.exponent);
        let left = self.scaled_to(exponent)?;
        let right = other.scaled_to(exponent)?;
        let (negative, coefficient) = if self.negative == other.negative {
            (self.negative, left.checked_add(right).ok_or(NumberError::TooPrecise)?)
        } else if left >= right {
            (self.negative, left - right)
        } else {
            (other.negative, right - left)
        };
        Self::normalised(negative, coefficient, i32::from(exponent))
    }

    /// `self - other`, exactly.
    ///
    /// # Errors
    /// When the exact difference has more than 38 digits or is out of range.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, NumberError> {
        self.checked_add(&other.negated())
    }

    /// Appends bytes whose lexicographic order is the numeric order.
    ///
    /// One byte for the sign; for a number that is not zero then one for the power of ten and the
    /// digits in pairs, ended by a byte below every pair; all complemented when negative.
    pub fn write_ordered(&self, out: &mut Vec<u8>) {
        if self.coefficient == 0 {
            out.push(1);
            return;
        }
        out.push(if self.negative { 0 } else { 2 });
        let start = out.len();
        // -130..=125 becomes 0..=255
        out.push(u8::try_from(self.magnitude() - MIN_MAGNITUDE).unwrap_or(u8::MAX));
        let digits = self.coefficient.to_string();
        for pair in digits.as_bytes().chunks(2) {
            let low = pair.get(1).map_or(0, |digit| digit - b'0');
            out.push(1 + (pair[0] - b'0') * 10 + low);
        }
        out.push(0);
        if self.negative {
            for byte in &mut out[start..] {
                *byte = !*byte;
            }
        }
    }

    /// How many significant digits it has; 0 for zero.
    #[must_use]
    pub fn digits(&self) -> u32 {
        self.coefficient.checked_ilog10().map_or(0, |log| log + 1)
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    fn negated(self) -> Self {
        Self { negative: !self.negative && self.coefficient != 0, ..self }
    }

    /// The power of ten of the first digit.
    fn magnitude(&self) -> i32 {
        i32::from(self.exponent) + i32::try_from(self.digits()).unwrap_or(0) - 1
    }

    /// The coefficient at a smaller exponent. Overflowing 128 bits means more than 38 digits in any
    /// sum: the number at the smaller exponent ends in a digit that is not zero, and is below
    /// 10^38, so it cannot bring a coefficient above 3.4×10^38 back to 38 digits.
    fn scaled_to(&self, exponent: i16) -> Result<u128, NumberError> {
        let steps = u32::from(self.exponent.abs_diff(exponent));
        10u128
            .checked_pow(steps)
            .and_then(|power| self.coefficient.checked_mul(power))
            .ok_or(NumberError::TooPrecise)
    }

    fn normalised(negative: bool, mut coefficient: u128, mut exponent: i32) -> Result<Self, NumberError> {
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        let digits = coefficient.ilog10() + 1;
        let magnitude = exponent + i32::try_from(digits).unwrap_or(0) - 1;
        if magnitude > MAX_MAGNITUDE {
            return Err(NumberError::Overflow);
        }
        if magnitude < MIN_MAGNITUDE {
            return Err(NumberError::Underflow);
        }
        if digits > MAX_DIGITS {
            return Err(NumberError::TooPrecise);
        }
        let exponent = i16::try_from(exponent).map_err(|_| NumberError::Overflow)?;
        Ok(Self { negative, coefficient, exponent })
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        match (self.coefficient, other.coefficient) {
            (0, 0) => return Ordering::Equal,
            (0, _) => return Ordering::Less,
            (_, 0) => return Ordering::Greater,
            _ => {}
        }
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let width = self.digits().max(other.digits());
            let pad = |n: &Self| n.coefficient * 10u128.pow(width - n.digits());
            pad(self).cmp(&pad(other))
        })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        // at most 20 digits: always in range
        Self::normalised(false, u128::from(n), 0).unwrap_or(Self::ZERO)
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        parse(text).ok_or_else(|| NumberError::NotANumber(text.to_owned()))?
    }
}

/// `None` when the text is no number; the inner error when it is one that does not fit.
fn parse(text: &str) -> Option<Result<Number, NumberError>> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|byte| *byte == b'0').collect();
    let kept = all.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    if kept == 0 {
        return Some(Ok(Number::ZERO));
    }
    let lowest = exponent - i64::try_from(fraction.len()).ok()? + i64::try_from(all.len() - kept).ok()?;
    let magnitude = lowest + i64::try_from(kept).ok()? - 1;
    if magnitude > i64::from(MAX_MAGNITUDE) {
        return Some(Err(NumberError::Overflow));
    }
    if magnitude < i64::from(MIN_MAGNITUDE) {
        return Some(Err(NumberError::Underflow));
    }
    if kept > MAX_DIGITS as usize {
        return Some(Err(NumberError::TooPrecise));
    }
    let coefficient = all[..kept].iter().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    Some(Number::normalised(negative, coefficient, i32::try_from(lowest).ok()?))
}

/// An exponent's digits; one too long for an `i64` is clamped, which is out of range all the same.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    Some(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for Number {
    /// DynamoDB's canonical text: plain decimal, no exponent, no superfluous zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let digits = self.coefficient.to_string();
        if self.exponent >= 0 {
            return write!(f, "{digits}{:0<1$}", "", usize::from(self.exponent.unsigned_abs()));
        }
        let places = usize::from(self.exponent.unsigned_abs());
        if places < digits.len() {
            let (whole, fraction) = digits.split_at(digits.len() - places);
            return write!(f, "{whole}.{fraction}");
        }
        write!(f, "0.{digits:0>places$}")
    }
}
