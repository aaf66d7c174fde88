// Logarithm and exponential from + - * / sqrt alone, so that every compiler and processor gives the same bits.
//
// libm differs between C libraries and versions; IEEE 754 fixes the five basic operations, and the build forbids fused
// multiply-add (-ffp-contract=off). Error below 1.5 ulp over the whole range (tested against libm; golden bits too).
#pragma once

namespace podwire::random {

/// Natural logarithm: -infinity at 0, NaN below 0 or for NaN.
double log(double x);
/// e to the x: 0 below the least subnormal's logarithm, infinity past the largest double's.
double exp(double x);

}  // namespace podwire::random
