#include "tools/compiler/CompareLayers.h"
#include <cmath>
#include <gmock/gmock.h>

using namespace optc;
using testing::HasSubstr;
using testing::Not;

TEST(LayerPlot, NamesAreTextAndNotMarkup) {
  std::string svg = layerSvg({{"a<b>&\"\x01\"", 0, true, 0.5, 1}});
  EXPECT_THAT(svg, HasSubstr("<title>a&lt;b&gt;&amp;&quot;&quot;</title>"));
  EXPECT_THAT(svg, HasSubstr(">50%</text>"));
}

TEST(LayerPlot, BarsAreInTheModelsOrder) {
  std::string svg = layerSvg({{"second", 1, false, 0.5, 1}, {"first", 0, true, 0.25, 1}});
  EXPECT_LT(svg.find("first"), svg.find("second"));
  EXPECT_THAT(svg, HasSubstr("width=\"240.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"480.0\""));
}

TEST(LayerPlot, WhatIsNoNumberFillsTheRow) {
  std::string svg = layerSvg({{"a", 0, true, INFINITY, INFINITY}, {"b", 1, true, 0, 0}});
  EXPECT_THAT(svg, HasSubstr("width=\"480.0\""));
  EXPECT_THAT(svg, HasSubstr(">inf%</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LayerPlot, LongNamesKeepTheirEndAndTheirCharacters) {
  std::string name;
  for (int i = 0; i < 80; ++i)
    name += "\xC3\xA9"; // é
  std::string svg = layerSvg({{name + "end", 0, true, 0.5, 1}}), kept = "\xE2\x80\xA6";
  for (int i = 0; i < 56; ++i)
    kept += "\xC3\xA9";
  EXPECT_THAT(svg, HasSubstr(">" + kept + "end</text>"));
  EXPECT_THAT(svg, HasSubstr("<title>" + name + "end</title>"));
}
