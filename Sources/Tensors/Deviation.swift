/// The largest standard deviation, as a fraction of the mean, of a dimension that does not vary: what a float leaves of a
/// number, a few times. Where dimensions vary by less, products of weights and states in floats would be noise.
package let constantResolution = 0x1p-22

/// The standard deviation of a dimension; 0 where it is no more than rounding leaves of a constant.
package func deviation(_ variance: Double, mean: Double) -> Double {
    let deviation = max(variance, 0).squareRoot()
    return deviation <= max(constantResolution * abs(mean), 1e-30) ? 0 : deviation
}
