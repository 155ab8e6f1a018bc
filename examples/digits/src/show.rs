//! What the demonstration prints: drawings and figures.

use std::time::Duration;

use crate::{IN_FLIGHT, Pass};

/// Draws the first three images and the first that was misread, side by side.
pub(crate) fn digits(images: &[Vec<f64>], labels: &[u8], read: &[u8]) {
    let misread = (0..images.len()).find(|&image| read[image] != labels[image]);
    let shown: Vec<usize> = (0..3).chain(misread).collect();
    for row in 0..8 {
        let pixels = |&image: &usize| ink(&images[image][row * 8..][..8]);
        line(shown.iter().map(pixels).collect());
    }
    let caption = |&image: &usize| format!("a {}, read as {}", labels[image], read[image]);
    line(shown.iter().map(caption).collect());
    println!();
}

/// Prints accuracy, calls per second and how long callers waited.
pub(crate) fn figures(title: &str, pass: &Pass, labels: &[u8]) {
    let (answered, images) = (pass.digits.len(), labels.len());
    let right = pass
        .digits
        .iter()
        .zip(labels)
        .filter(|(read, label)| read == label)
        .count();
    let share = 100.0 * right as f64 / images as f64;
    let rate = answered as f64 / pass.took.as_secs_f64();

    let mut waits = pass.waits.clone();
    waits.sort();
    let percentile =
        |share: f64| milliseconds(waits[((waits.len() - 1) as f64 * share).round() as usize]);

    println!("{title}, {IN_FLIGHT} at once:");
    println!("  {answered} of {images} images answered, {right} read right ({share:.1} %)");
    println!(
        "  {rate:.0} calls/s; half of the callers waited less than {}, 90 % {}, 99 % {}",
        percentile(0.50),
        percentile(0.90),
        percentile(0.99),
    );
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Prints columns as wide as a drawing.
fn line(columns: Vec<String>) {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("{column:<16}"))
        .collect();
    println!("  {}", columns.join("  ").trim_end());
}

/// One row of pixels of 0 to 16 as text, two characters each.
fn ink(pixels: &[f64]) -> String {
    let shades = ["  ", "░░", "▒▒", "▓▓", "██"];
    pixels
        .iter()
        .map(|pixel| shades[(pixel / 4.0).round() as usize])
        .collect()
}
