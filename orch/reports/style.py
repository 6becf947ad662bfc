"""The style of a report's page: light, dark and on paper; nothing is fetched."""

from __future__ import annotations

STYLE = """
:root{--paper:#fff;--ink:#1a1d21;--quiet:#5b6470;--line:#d9dde3;--card:#f6f7f9;--good:#1a7f4b;--bad:#b3261e;
--c0:#2f6fbf;--c1:#d9822b;--c2:#2e8b57;--c3:#8e5bb5;--c4:#b8434e;--c5:#5f7d8c;--c6:#a08a1c;--c7:#3b9aa8}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e8eaed;--quiet:#a3adb8;--line:#343a42;--card:#1c2026;
--good:#5fce94;--bad:#ff8a80;--c0:#6aa5ee;--c1:#f0a35a;--c2:#62c48d;--c3:#bd92df;--c4:#e8808a;--c5:#9db6c2;
--c6:#d4bd4e;--c7:#72c9d6}}
@media print{:root{--paper:#fff;--ink:#000;--quiet:#444;--line:#bbb;--card:#fff;--good:#000;--bad:#000}
section{break-inside:avoid}main{max-width:none;padding:0}}
*{box-sizing:border-box}
html{color-scheme:light dark}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:880px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:18px;margin:36px 0 10px}
p{margin:6px 0}.quiet{color:var(--quiet)}.good{color:var(--good)}.bad{color:var(--bad)}
.mark{display:inline-block;border:2px solid var(--bad);color:var(--bad);font-weight:700;padding:2px 10px;
border-radius:4px;margin:8px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin:18px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}
.tile b{display:block;font-size:22px;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--quiet);font-size:13px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;font-size:13px;color:var(--quiet)}
td.num,th.num{text-align:right;white-space:nowrap}
svg{width:100%;height:auto;display:block;margin:6px 0}
svg .axes line{stroke:var(--line);stroke-width:1}
svg text{fill:var(--quiet);font-size:12px}
.c0{fill:var(--c0);background:var(--c0)}.c1{fill:var(--c1);background:var(--c1)}
.c2{fill:var(--c2);background:var(--c2)}.c3{fill:var(--c3);background:var(--c3)}
.c4{fill:var(--c4);background:var(--c4)}.c5{fill:var(--c5);background:var(--c5)}
.c6{fill:var(--c6);background:var(--c6)}.c7{fill:var(--c7);background:var(--c7)}
svg .c0,svg .c1,svg .c2,svg .c3,svg .c4,svg .c5,svg .c6,svg .c7{background:none}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:4px 0}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
svg g,svg rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}
ol.todo,ul.unknown{padding-left:22px}ol.todo li,ul.unknown li{margin:8px 0}
footer{margin-top:44px;color:var(--quiet);font-size:13px}
"""
