//! The program, run as a person runs it.

use std::process::Command;

#[test]
fn the_means_are_those_that_every_textbook_has() {
    let output = Command::new(env!("CARGO_BIN_EXE_dataframe"))
        .output()
        .expect("the program");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let expected = "\
mean ± deviation           50 setosa     50 versicolor      50 virginica
petal length (cm)        1.46 ± 0.17       4.26 ± 0.47       5.55 ± 0.55
petal width (cm)         0.25 ± 0.11       1.33 ± 0.20       2.03 ± 0.27
sepal length (cm)        5.01 ± 0.35       5.94 ± 0.52       6.59 ± 0.64
sepal width (cm)         3.43 ± 0.38       2.77 ± 0.31       2.97 ± 0.32
";
    assert_eq!(text, expected);
}
