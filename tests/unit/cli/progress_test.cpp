// The progress bar's text at several widths; drawing it needs a terminal.
#include "app/cli/progress.hpp"

#include <gtest/gtest.h>

namespace podwire::cli {
namespace {

TEST(BarText, IsThirtyCharactersLongWhereThereIsRoom) {
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 79), "shop [###############...............]  50 %  1 of 2 runs");
  EXPECT_EQ(bar_text("shop", 1.0, "2 of 2 runs", 79), "shop [##############################] 100 %  2 of 2 runs");
}

TEST(BarText, ShrinksBeforeItsNumbersAreCut) {
  // "shop", brackets and spaces 4, " 50 %  1 of 2 runs" 18: 26 columns beside the bar.
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 36), "shop [#####.....]  50 %  1 of 2 runs");
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 31), "shop [##...]  50 %  1 of 2 runs");
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 30), " 50 %  1 of 2 runs");
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 5), " 50 %");
  EXPECT_EQ(bar_text("shop", 0.5, "1 of 2 runs", 0), "");
}

}  // namespace
}  // namespace podwire::cli
