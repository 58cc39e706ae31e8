//! Numbers and points in lanes, held against `k256` and `fiat-crypto`.

use archmage::intrinsics::x86_64::_mm512_storeu_si512;
use archmage::{X64V4xToken, arcane, rite};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{FieldElement, ProjectivePoint, Scalar};

use super::field::{Field, Prime};
use super::secp256k1::{Affine, Jacobian};
use super::vector::{Eight, LANES, Mask, gathered, limbs};
use super::{Line, Words, edwards25519, machines, secp256k1, words_of};
use crate::verify::batch::tests::makers::Chance;
use crate::verify::fixed_base::tests::product_25519;

/// What eight lanes of limbs hold, the highest byte first.
#[rite(v4x)]
fn numbers(limbs: &[Eight; 5]) -> [[u8; 32]; LANES] {
    let mut parts = [[0_u64; LANES]; 5];
    for (part, limb) in parts.iter_mut().zip(limbs) {
        _mm512_storeu_si512(part, *limb);
    }
    std::array::from_fn(|lane| {
        let [a, b, c, d, e] = parts.map(|part| part[lane]);
        let words = [d >> 36 | e << 16, c >> 24 | d << 28, b >> 12 | c << 40, a | b << 52];
        words.map(u64::to_be_bytes).concat().try_into().unwrap()
    })
}

/// Numbers at the edges of limbs, words and both primes, then by chance: as many as fill registers.
fn some(chance: &mut Chance) -> Vec<[u8; 32]> {
    let mut numbers = vec![[0; 32], [0xff; 32]];
    for bit in [0, 51, 52, 63, 64, 103, 104, 155, 156, 207, 208, 254, 255] {
        let mut number = [0; 32];
        number[31 - bit / 8] = 1 << (bit % 8);
        numbers.extend([number, number.map(|byte| !byte)]);
    }
    // The primes, one less and one more.
    for step in [0, 1, 2] {
        let (mut number, mut other) = ([0xff; 32], [0xff; 32]);
        (number[27], number[30], number[31]) = (0xfe, 0xfc, 0x2e + step);
        (other[0], other[31]) = (0x7f, 0xec + step);
        numbers.extend([number, other]);
    }
    while numbers.len() < 96 {
        numbers.push(chance.bytes());
    }
    numbers
}

/// a b; a^2; 15 a times 15 b; a + b; 9 p + a - 8 b; all canonical.
#[arcane]
fn results<P: Prime>(_: X64V4xToken, a: &[Words; LANES], b: &[Words; LANES]) -> [[[u8; 32]; LANES]; 5] {
    let one = Field::<P>::small(1);
    let (a, b) = (Field::new(limbs(gathered(a))).times(&one), Field::new(limbs(gathered(b))).times(&one));
    let (eight_a, eight) = (a.sum().shifted::<3>().carried(), b.sum().shifted::<3>().carried());
    let large_a = a.sum().shifted::<3>().plus(&eight_a).minus(&a, 0).carried();
    let large_b = b.sum().shifted::<3>().plus(&eight).minus(&b, 0).carried();
    [
        numbers(&a.times(&b).canonical()),
        numbers(&a.square().canonical()),
        numbers(&large_a.times(&large_b).canonical()),
        numbers(&a.plus(&b).carried().canonical()),
        numbers(&a.minus(&eight, 9).carried().canonical()),
    ]
}

/// Each pair of numbers, eight pairs at a time, through lanes and through a library's product (of any two numbers, and a factor).
fn agree<P: Prime>(
    machine: X64V4xToken,
    product: impl Fn(&[u8; 32], &[u8; 32], u32) -> [u8; 32],
    sum: impl Fn(&[u8; 32], &[u8; 32], bool) -> [u8; 32],
) {
    let numbers = some(&mut Chance::new(31));
    for turn in 0..numbers.len() / LANES {
        for (at, left) in numbers.chunks_exact(LANES).enumerate() {
            let right: [[u8; 32]; LANES] =
                std::array::from_fn(|lane| numbers[((at + turn) * LANES + lane * 7) % numbers.len()]);
            let left: [[u8; 32]; LANES] = left.try_into().unwrap();
            let found = results::<P>(machine, &left.map(|it| words_of(&it)), &right.map(|it| words_of(&it)));
            for lane in 0..LANES {
                let (a, b) = (&left[lane], &right[lane]);
                let expected =
                    [product(a, b, 1), product(a, a, 1), product(a, b, 225), sum(a, b, false), sum(a, b, true)];
                assert_eq!(found.map(|all| all[lane]), expected, "{a:02x?} {b:02x?}");
            }
        }
    }
}

fn lanes() -> Option<X64V4xToken> {
    machines().into_iter().flatten().next()
}

#[test]
fn numbers_modulo_the_prime_of_secp256k1_are_those_of_the_library() {
    let Some(machine) = lanes() else { return };
    // The library takes no number that is not below the prime: high and low half apart.
    let number = |bytes: &[u8; 32]| {
        let half = |half: &[u8]| {
            let mut whole = [0; 32];
            whole[16..].copy_from_slice(half);
            FieldElement::from_bytes(&whole.into()).unwrap()
        };
        let shift = FieldElement::from_u64(1 << 32).square().square();
        (half(&bytes[..16]) * shift + half(&bytes[16..])).normalize()
    };
    let times = |a: &[u8; 32], b: &[u8; 32], factor: u32| {
        (number(a) * number(b) * FieldElement::from_u64(u64::from(factor))).normalize().to_bytes().into()
    };
    let sum = |a: &[u8; 32], b: &[u8; 32], less| {
        let other = if less { (number(b) * FieldElement::from_u64(8)).negate(1) } else { number(b) };
        (number(a) + other).normalize().to_bytes().into()
    };
    agree::<secp256k1::P>(machine, times, sum);
}

#[test]
fn numbers_modulo_the_prime_of_ed25519_are_those_of_the_proven_field() {
    let Some(machine) = lanes() else { return };
    let reversed = |mut bytes: [u8; 32]| {
        bytes.reverse();
        bytes
    };
    let times = |a: &[u8; 32], b: &[u8; 32], factor| reversed(product_25519(reversed(*a), reversed(*b), factor, false));
    let sum = |a: &[u8; 32], b: &[u8; 32], less| {
        reversed(product_25519(reversed(*a), reversed(*b), if less { 8 } else { 0 }, true))
    };
    agree::<edwards25519::P>(machine, times, sum);
}

/// Sums and doubles by coordinates, and where there are some.
#[arcane]
fn added(
    _: X64V4xToken,
    left: [&Line; LANES],
    right: [&Line; LANES],
    negative: Mask,
    stays: Mask,
) -> [([[[u8; 32]; LANES]; 2], Mask); 2] {
    let left = Affine::of(left, 0).jacobian();
    let sum = left.add(&Affine::of(right, negative), stays);
    let all = Jacobian::affine(&[sum, left.double()]);
    [0, 1].map(|at| {
        let (point, finite) = all[at];
        ([numbers(&point.x.canonical()), numbers(&point.y.canonical())], finite)
    })
}

#[test]
fn points_of_secp256k1_are_added_as_by_the_library_and_what_has_no_slope_is_nothing() {
    let Some(machine) = lanes() else { return };
    let points: Vec<ProjectivePoint> =
        (1..=16_u64).map(|at| ProjectivePoint::GENERATOR * Scalar::from(at * at * at)).collect();
    let coordinates = |point: ProjectivePoint| -> [[u8; 32]; 2] {
        let encoded = point.to_affine().to_encoded_point(false);
        [1, 33].map(|from| encoded.as_bytes()[from..from + 32].try_into().unwrap())
    };
    let line = |point: ProjectivePoint| {
        let words = coordinates(point).map(|it| words_of(&it)).concat();
        Line(words.try_into().unwrap())
    };
    let lines: Vec<Line> = points.iter().map(|point| line(*point)).collect();
    for turn in 0..16 {
        let right: [usize; LANES] = std::array::from_fn(|lane| (lane + turn) % 16);
        for (negative, stays) in [(0, 0), (0xff, 0), (0b1010_0110, 0b0001_1100)] {
            let [sums, doubles] =
                added(machine, std::array::from_fn(|lane| &lines[lane]), right.map(|at| &lines[at]), negative, stays);
            for lane in 0..LANES {
                let bit = |mask: Mask| mask >> lane & 1 == 1;
                let other = if bit(negative) { -points[right[lane]] } else { points[right[lane]] };
                let expected = if bit(stays) { points[lane] } else { points[lane] + other };
                assert_eq!(bit(sums.1), bit(stays) || right[lane] != lane, "one abscissa twice");
                if bit(sums.1) {
                    assert_eq!(sums.0.map(|all| all[lane]), coordinates(expected));
                }
                assert!(bit(doubles.1));
                assert_eq!(doubles.0.map(|all| all[lane]), coordinates(points[lane].double()));
            }
        }
    }
}

#[arcane]
fn lifted(_: X64V4xToken, abscissae: &[Words; LANES]) -> ([[u8; 32]; LANES], Mask) {
    let (point, found) = Affine::lifted(abscissae);
    (numbers(&point.y.canonical()), found)
}

#[test]
fn roots_are_those_of_libsecp256k1_and_half_of_all_numbers_have_none() {
    let Some(machine) = lanes() else { return };
    let mut chance = Chance::new(32);
    let mut found = 0;
    for _ in 0..16 {
        let all: [[u8; 32]; LANES] = std::array::from_fn(|_| chance.bytes());
        let (ordinates, mask) = lifted(machine, &all.map(|it| words_of(&it)));
        for lane in 0..LANES {
            let point = crate::verify::batch::bip340::lift(&all[lane]);
            assert_eq!(mask >> lane & 1 == 1, point.is_some());
            assert!(point.is_none_or(|point| point.coordinates()[1] == ordinates[lane]));
            found += u32::from(point.is_some());
        }
    }
    assert!((40..90).contains(&found), "{found}");
}
