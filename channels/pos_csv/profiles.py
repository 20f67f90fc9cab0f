"""Ready settings for what common tills and back offices export, by name. Everything in them can be set otherwise.

A profile is nothing but settings: ``profile = "loyverse"`` in a channel's table stands for the lines below, and a
line of one's own in that table wins. Headers are those of the vendors' help pages and importers; where a vendor
publishes none, the profile says so.
"""

from __future__ import annotations

from collections.abc import Mapping

_TOTALS_EAST_ASIA = ("합계", "총계", "소계", "合計", "総計", "小計")

PROFILES: Mapping[str, Mapping[str, object]] = {
    # sku,quantity: also what the adapter's own sandbox exports.
    "plain": {},
    # Shopify, Products > Inventory > Export: one row for each variant and location. "Available" is what can be sold;
    # "On hand" still holds what is promised to customers. Exports from before 2024: quantity_column = "Available".
    "shopify": {
        "sku_column": "SKU",
        "quantity_column": "Available (not editable)",
        "location_column": "Location",
        "no_stock_words": ("not stocked",),
        "blank": "skip",
        "blank_sku": "skip",
    },
    # Square, Items > Export library: one column for each location. Blank: not tracked.
    "square": {
        "sku_column": "SKU",
        "quantity_column": "Current Quantity *",
        "blank": "skip",
        "blank_sku": "skip",
    },
    # Lightspeed Retail (R-Series), item export. Custom SKU is often blank, the System ID never.
    "lightspeed_r": {
        "sku_column": ("Custom SKU", "System ID"),
        "quantity_column": "Qty.",
    },
    # Lightspeed Retail (X-Series, once Vend), product export: one column for each outlet, five decimals. The rows
    # that list what a kit is made of hold no stock.
    "lightspeed_x": {
        "sku_column": "sku",
        "quantity_column": "inventory_*",
        "skip_rows": {"composite_sku": ("*",), "track_inventory": ("0",)},
        "blank": "skip",
    },
    # Loyverse, item export: one column for each store. The rows that list what a composite is made of hold no stock.
    "loyverse": {
        "sku_column": "SKU",
        "quantity_column": "In stock [*]",
        "skip_rows": {"SKU of included item": ("*",), "Track stock": ("N",)},
        "blank": "skip",
    },
    # WooCommerce, Products > Export. Blank: stock is not managed; "parent": it is managed on the parent, which
    # is itself nothing that can be sold.
    "woocommerce": {
        "sku_column": "SKU",
        "quantity_column": "Stock",
        "skip_rows": {"Type": ("variable", "grouped", "external")},
        "no_stock_words": ("parent",),
        "blank": "skip",
        "blank_sku": "skip",
    },
    # Clover, Inventory > Export, its sheet "Items" saved as CSV: lines of explanation above the header, and rows
    # without an ID that continue the item above them.
    "clover": {
        "sku_column": "SKU",
        "quantity_column": "Quantity",
        "skip_rows": {"Clover ID": ("",)},
        "blank": "skip",
        "blank_sku": "skip",
    },
    # A stock list as Korean tills commonly print it. Not verified against one vendor: check it with your own file.
    "korean": {
        "sku_column": "상품코드",
        "quantity_column": "현재고",
        "encoding": "cp949",
        "thousands": ",",
        "total_words": _TOTALS_EAST_ASIA,
        "timezone": "Asia/Seoul",
    },
    # A stock list as Japanese tills commonly print it. Not verified against one vendor: check it with your own file.
    "japanese": {
        "sku_column": "商品コード",
        "quantity_column": "在庫数",
        "encoding": "cp932",
        "thousands": ",",
        "total_words": _TOTALS_EAST_ASIA,
        "timezone": "Asia/Tokyo",
    },
    # Like an X12 846 inventory advice made into CSV: no header line, but a record type in the first column.
    #   HDR,<sender>,<time>    DTL,<item>,<UPC>,<on hand>,<allocated>    TRL,<number of DTL records>
    "edi846": {
        "columns": ("record", "item", "upc", "on_hand", "allocated"),
        "sku_column": "item",
        "quantity_column": "on_hand",
        "header_record": "HDR",
        "trailer_record": "TRL",
        "trailer_count": 2,
        "time_from": "header",
        "header_time": 3,
    },
}
