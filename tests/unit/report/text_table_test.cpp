#include "app/report/text_table.hpp"

#include <gtest/gtest.h>

#include "app/report/escape.hpp"

namespace podwire::report {
namespace {

TEST(TextTables, PadColumnsAndAlignNumbers) {
  TextTable table;
  table.column("name");
  table.column("n", Align::right);
  table.column("note");
  table.row({"a", "5", "x"});
  table.row({"longer", "1234"});
  EXPECT_EQ(table.to_string(2, Style(false)),
            "  name       n  note\n"
            "  a          5  x\n"
            "  longer  1234\n");
}

TEST(TextTables, CountCodePointsNotBytes) {
  TextTable table;
  table.column("");
  table.column("");
  table.row({"→", "x"});
  table.row({"ab", "y"});
  EXPECT_EQ(table.to_string(0, Style(false)), "→   x\nab  y\n");
}

TEST(TextTables, ColourTakesNoWidth) {
  const Style style(true);
  EXPECT_EQ(display_width(style.bad("no")), 2u);
  TextTable table;
  table.column("");
  table.column("");
  table.row({style.bad("no"), "x"});
  table.row({"yes", "y"});
  EXPECT_EQ(table.to_string(0, style), "\x1b[1;31mno\x1b[0m   x\nyes  y\n");
}

TEST(Styles, WithoutColourTextIsUnchanged) {
  EXPECT_EQ(Style(false).bad("no"), "no");
  EXPECT_EQ(Style(true).good(""), "");
}

TEST(Wrapping, BreaksAtSpacesAndIndents) {
  EXPECT_EQ(wrapped("aaa bbb ccc", 2, 9), "aaa bbb\n  ccc");
  EXPECT_EQ(wrapped("aaaaaaaaaaaaaaa b", 2, 9), "aaaaaaaaaaaaaaa\n  b");
  EXPECT_EQ(wrapped("", 2, 9), "");
}

TEST(CsvFields, AreQuotedWhereTheyMustBe) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("TCP 80,443"), "\"TCP 80,443\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  EXPECT_EQ(csv_line({"a", "", "b,c"}), "a,,\"b,c\"\n");
}

TEST(CsvFields, NeverBecomeFormulas) {
  EXPECT_EQ(csv_field("=HYPERLINK(1)"), "'=HYPERLINK(1)");
  EXPECT_EQ(csv_field("@SUM(A1,A2)"), "\"'@SUM(A1,A2)\"");
  EXPECT_EQ(csv_field("+x"), "'+x");
  EXPECT_EQ(csv_field("-1.5"), "-1.5");  // a number is one
  EXPECT_EQ(csv_field("-x"), "'-x");
}

TEST(TextTable, FoldsLongCellsBelowTheirRowsOnANarrowTerminal) {
  TextTable table;
  table.column("workload");
  table.column("requests", Align::right);
  table.folding_column("from");
  table.folding_column("to");
  table.row({"visit", "527", "203.0.113.10", "ingress-nginx/service/controller"});
  table.row({"idle", "0", "", "somewhere"});
  const std::string wide =
      "  workload  requests  from          to\n"
      "  visit          527  203.0.113.10  ingress-nginx/service/controller\n"
      "  idle             0                somewhere\n";
  EXPECT_EQ(table.to_string(2, Style(false)), wide);
  // The longest line is "  visit …": 2 + 8 + 2 + 8 + 2 + 12 + 2 + 32 = 68 columns.
  EXPECT_EQ(table.to_string(2, Style(false, 68)), wide);
  EXPECT_EQ(table.to_string(2, Style(false, 67)),
            "  workload  requests\n"
            "  visit          527\n"
            "      from  203.0.113.10\n"
            "      to    ingress-nginx/service/controller\n"
            "  idle             0\n"
            "      to    somewhere\n");
}

}  // namespace
}  // namespace podwire::report
