"""Document as an HTML page: styles and plots within, nothing loaded from elsewhere, fit to be printed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from engine.review.blocks import (
    Block,
    Cell,
    DocumentSheet,
    FillInSection,
    Heading,
    Paragraph,
    Picture,
    ShareBar,
    ShareBars,
    TableBlock,
    Tile,
    Tiles,
)

STYLE = """
:root{--ground:#f4f6f9;--page:#fff;--ink:#1c2430;--dim:#566171;--edge:#dfe4eb;--bar:#1f6feb;--ok:#146c3e;--no:#b3261e;
--okbg:#e8f5ee;--nobg:#fcebea;--head:#f0f3f7}
@media(prefers-color-scheme:dark){:root{--ground:#0c0f14;--page:#12161c;--ink:#e6eaf0;--dim:#9aa5b4;--edge:#2b333e;
--bar:#6cb0ff;--ok:#5bc48a;--no:#ff8a80;--okbg:#12291e;--nobg:#331a18;--head:#1a2029}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",
"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:980px;margin:24px auto;padding:36px 44px;background:var(--page);border:1px solid var(--edge);
border-radius:10px}
h1{font-size:27px;line-height:1.25;margin:0 0 4px}
h2{font-size:18px;margin:34px 0 10px;padding-bottom:6px;border-bottom:2px solid var(--edge)}
p{margin:8px 0}.dim{color:var(--dim)}.good{color:var(--ok)}.bad{color:var(--no)}
.badge{display:inline-block;margin:8px 8px 0 0;padding:2px 10px;border-radius:20px;background:var(--nobg);
color:var(--no);font-weight:600;font-size:13px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(205px,1fr));gap:12px;margin:14px 0}
.tile{border:1px solid var(--edge);border-radius:8px;padding:12px 14px}
.tile.good{background:var(--okbg);border-color:transparent}.tile.bad{background:var(--nobg);border-color:transparent}
.tile .label{color:var(--dim);font-size:13px}.tile .number{color:var(--ink);font-size:24px;font-weight:650;
line-height:1.3;font-variant-numeric:tabular-nums}.tile.good .number{color:var(--ok)}.tile.bad .number{color:var(--no)}
.tile .note{color:var(--dim);font-size:12.5px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:10px 0;font-size:14px}
th{text-align:left;background:var(--head);font-weight:600;white-space:nowrap}
th,td{padding:7px 10px;border-bottom:1px solid var(--edge);vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.s{white-space:nowrap}th.n:first-child{width:1%}td.good,td.bad{font-weight:600}
.bars{display:grid;grid-template-columns:minmax(130px,auto) minmax(120px,1fr) auto;gap:9px 14px;align-items:center;
margin:14px 0}
.track{position:relative;height:14px;border-radius:7px;background:var(--head)}
.track span{position:absolute;left:0;top:0;bottom:0;border-radius:7px;background:var(--bar)}
.track.good span{background:var(--ok)}.track.bad span{background:var(--no)}
.track i{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}
.bars .text{font-size:13.5px;font-variant-numeric:tabular-nums;text-align:right}
figure{margin:16px 0;border:1px solid var(--edge);border-radius:8px;overflow:hidden}
figure svg{display:block;width:100%;height:auto}
.fill{border-left:3px solid var(--bar);padding:2px 0 2px 14px;margin:14px 0}
.fill .lines{min-height:64px;border-bottom:1px dashed var(--edge)}.fill .answer{white-space:pre-wrap}
footer{margin-top:36px;padding-top:12px;border-top:1px solid var(--edge);color:var(--dim);font-size:12.5px}
@media(max-width:640px){main{margin:0;padding:20px 16px;border:0;border-radius:0}.bars{grid-template-columns:1fr auto}
.bars .track{grid-column:1/-1;grid-row:auto}}
@media print{@page{size:A4;margin:14mm}body{background:#fff;font-size:10.5pt}main{max-width:none;margin:0;padding:0;
border:0}h2{break-after:avoid}.tile,figure,tr,.bars,.fill{break-inside:avoid}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
""".replace("\n", "")


def render_html(sheet: DocumentSheet) -> str:
    """Draw the whole document as a page."""
    language = "zh-CN" if sheet.language == "zh_CN" else "en"
    parts = [
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(sheet.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{escape(sheet.title)}</h1>",
        f'<p class="dim">{escape(sheet.subtitle)}</p>' if sheet.subtitle else "",
        *(f'<span class="badge">{escape(badge)}</span>' for badge in sheet.badges),
        *(line for block in sheet.blocks for line in _block(block)),
        f"<footer>{escape(sheet.foot)}</footer>" if sheet.foot else "",
        "</main>\n</body>\n</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"<h2>{escape(block.text)}</h2>"
        case Paragraph():
            yield f'<p class="{"dim" if block.tone == "soft" else block.tone}">{escape(block.text)}</p>'
        case Tiles():
            yield '<div class="tiles">'
            yield from (_tile(tile) for tile in block.tiles)
            yield "</div>"
        case TableBlock():
            yield from _table(block)
        case ShareBars():
            yield '<div class="bars">'
            yield from (_bar(bar) for bar in block.bars)
            yield "</div>"
        case Picture():
            yield f'<figure aria-label="{escape(block.caption)}">{block.svg}</figure>'
        case FillInSection():
            yield f'<div class="fill"><strong>{escape(block.question)}</strong>'
            answered = f'<p class="answer">{escape(block.answer)}</p>' if block.answer else '<div class="lines"></div>'
            yield f"{answered}</div>"


def _tile(tile: Tile) -> str:
    note = f'<div class="note">{escape(tile.note)}</div>' if tile.note else ""
    return (
        f'<div class="tile {tile.tone}"><div class="label">{escape(tile.label)}</div>'
        f'<div class="number">{escape(tile.value)}</div>{note}</div>'
    )


def _bar(bar: ShareBar) -> str:
    width = f'<span style="width:{min(max(bar.share, 0.0), 1.0) * 100:.1f}%"></span>' if bar.share is not None else ""
    mark = f'<i style="left:{min(bar.aim, 1.0) * 100:.1f}%"></i>' if bar.aim is not None else ""
    return (
        f'<div>{escape(bar.label)}</div><div class="track {bar.tone}">{width}{mark}</div>'
        f'<div class="text">{escape(bar.text)}</div>'
    )


def _table(table: TableBlock) -> Iterator[str]:
    if not table.rows:
        yield f'<p class="dim">{escape(table.empty)}</p>'
        return
    yield '<div class="wide"><table><thead><tr>'
    for place, name in enumerate(table.head):
        yield f"<th{_class(place, table)}>{escape(name)}</th>"
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = (
            f"<td{_class(place, table, cell.tone if isinstance(cell, Cell) else '')}>"
            f"{escape(cell.text if isinstance(cell, Cell) else cell)}</td>"
            for place, cell in enumerate(row)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _class(place: int, table: TableBlock, tone: str = "") -> str:
    shape = "n" if place in table.numbers else "s" if place in table.steady else ""
    names = [name for name in (shape, "dim" if tone == "soft" else tone) if name]
    return f' class="{" ".join(names)}"' if names else ""
