"""ferbench: what synthetic faces are worth when a machine learns facial expressions."""
