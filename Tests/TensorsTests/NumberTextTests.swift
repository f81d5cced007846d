import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite("Numbers as text")
struct NumberTextTests {
    @Test(arguments: [
        0, -0.0, 0.5, 1.5, 2.5, 0.125, 0.00012345, 0.000012345, 999.95, 9999.5, 12345.678, -1e-300, 1e23,
        Double.greatestFiniteMagnitude, .leastNonzeroMagnitude, .pi, .infinity, -.infinity, .nan,
    ])
    func theyAreThoseOfPrintf(number: Double) {
        for digits in [0, 1, 2, 4, 6, 17] {
            #expect(number.fixed(digits) == String(format: "%.\(digits)f", number))
            #expect(number.fixed(digits, isSigned: true) == String(format: "%+.\(digits)f", number))
            #expect(number.significant(digits) == String(format: "%.\(digits)g", number))
            #expect(number.significant(digits, isSigned: true) == String(format: "%+.\(digits)g", number))
        }
    }
}
