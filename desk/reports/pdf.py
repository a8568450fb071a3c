"""Markdown as PDF: A4, a Unicode font, page numbers. Nothing is fetched: raw HTML and images are text."""

from font_source_sans_pro import SourceSansPro, SourceSansProBold, SourceSansProBoldIt, SourceSansProIt
from fpdf import FPDF
from markdown_it import MarkdownIt

FONT = "Source Sans Pro"
FACES = {"": SourceSansPro, "B": SourceSansProBold, "I": SourceSansProIt, "BI": SourceSansProBoldIt}


INERT = ["image", "link", "autolink", "html_inline", "html_block"]


class Sheet(FPDF):
    """A page with its number at the foot."""

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font(FONT, size=9)
        self.cell(0, 10, f"{self.page_no()} / {{nb}}", align="C")


def pdf(markdown: str, title: str) -> bytes:
    """The document's bytes; `title` goes into its properties."""
    sheet = Sheet(format="A4")
    for style, path in FACES.items():
        sheet.add_font(FONT, style, path)
    sheet.set_title(title)
    sheet.set_creator("Conclave")
    sheet.add_page()
    sheet.set_font(FONT, size=10)
    sheet.write_html(html(markdown), font_family=FONT, tag_styles={})
    return bytes(sheet.output())


def html(markdown: str) -> str:
    """The Markdown as HTML without images, links or raw HTML: what the writer draws."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable(INERT).render(markdown)
    return str(made).replace("[ ]", "□").replace("<code>", "<i>").replace("</code>", "</i>")
