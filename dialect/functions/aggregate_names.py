"""The parser's nodes -> names in the allow-list of aggregates."""

from __future__ import annotations

from sqlglot import exp

NODES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.CountIf: "count_if",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.ArgMin: "arg_min",
    exp.ArgMax: "arg_max",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.Median: "median",
    exp.PercentileCont: "quantile_cont",
    exp.PercentileDisc: "quantile_disc",
    exp.Quantile: "quantile_disc",
    exp.Mode: "mode",
    exp.AnyValue: "any_value",
    exp.First: "first",
    exp.Last: "last",
    exp.ArrayAgg: "list",
    exp.GroupConcat: "string_agg",
    exp.BitwiseAndAgg: "bit_and",
    exp.BitwiseOrAgg: "bit_or",
    exp.BitwiseXorAgg: "bit_xor",
    exp.Stddev: "stddev_samp",
    exp.StddevSamp: "stddev_samp",
    exp.StddevPop: "stddev_pop",
    exp.Variance: "var_samp",
    exp.VariancePop: "var_pop",
    exp.CovarSamp: "covar_samp",
    exp.CovarPop: "covar_pop",
    exp.Corr: "corr",
    exp.RegrSlope: "regr_slope",
    exp.RegrIntercept: "regr_intercept",
}

# aggregates that the parser does not know as such
UNTYPED = {
    "product", "entropy", "list", "string_agg", "histogram", "kurtosis", "skewness", "favg", "fsum", "bitstring_agg",
    "mad", "mean", "geomean", "sum_no_overflow", "sumkahan", "kahan_sum", "arbitrary", "approx_top_k",
    "reservoir_quantile",
}  # fmt: skip
