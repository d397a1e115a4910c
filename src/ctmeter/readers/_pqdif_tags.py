"""Identifiers of PQDIF that the reader looks for.

References
----------
IEEE 1159.3:2019
"""

from __future__ import annotations

from uuid import UUID

__all__ = ["CHARACTERISTICS", "KINDS", "PHASES", "RECORDS", "TAGS", "UNITS", "VALUE_TYPES", "WAVEFORM", "guid"]

_A = "f1c3-11cf-9d89-0080c72e70a3"
_B = "f5f5-11cf-9d89-0080c72e70a3"
_C = "f76e-11cf-9d89-0080c72e70a3"
_D = "f9c4-11cf-9d89-0080c72e70a3"
_E = "f753-11cf-9d89-0080c72e70a3"
_F = "f755-11cf-9d89-0080c72e70a3"
_G = "cb4a-11d2-b30b-fe25cb9a1760"
_H = "b451-11d1-ae17-0060083a2628"


def guid(text: str) -> bytes:
    """The bytes of an identifier as they stand in a file."""
    return UUID(text).bytes_le


def _known(table: dict[str, str]) -> dict[bytes, str]:
    return {guid(text): name for name, text in table.items()}


#: Signature of each record.
SIGNATURE = guid("4a111440-e49f-11cf-9900-505144494600")
RECORDS = _known(
    {
        "container": f"89738606-{_A}",
        "source": f"89738619-{_A}",
        "settings": f"b48d858c-{_B}",
        "observation": f"8973861a-{_A}",
        "blank": f"89738618-{_A}",
    }
)
TAGS = _known(
    {
        "version": f"89738607-{_A}",
        "created": f"89738609-{_A}",
        "title": f"8973860d-{_A}",
        "compression_style": f"8973861b-{_A}",
        "compression": f"8973861c-{_A}",
        "source_name": f"b48d8587-{_B}",
        "source_owner": f"b48d8588-{_B}",
        "source_location": f"b48d8589-{_B}",
        "utc_to_standard": "6acec12e-43b1-4336-af8f-1dd289e4e168",
        "channel_definitions": f"b48d858d-{_B}",
        "channel_definition": f"b48d858e-{_B}",
        "channel_name": f"b48d8590-{_B}",
        "phase": f"b48d8591-{_B}",
        "quantity_type": f"b48d8592-{_B}",
        "quantity_measured": f"c690e872-{_F}",
        "series_definitions": f"b48d8598-{_B}",
        "series_definition": f"b48d859a-{_B}",
        "value_type": f"b48d859c-{_B}",
        "units": f"b48d859b-{_B}",
        "characteristic": f"3d786f9e-{_C}",
        "storage": f"b48d85a1-{_B}",
        "use_calibration": f"62f28180-{_D}",
        "use_transducer": f"62f28181-{_D}",
        "channel_settings": f"62f28182-{_D}",
        "channel_setting": f"3d786f9a-{_C}",
        "system_side": f"62f2818a-{_D}",
        "monitor_side": f"62f2818b-{_D}",
        "nominal_frequency": f"0fa118c3-{_G}",
        "definition_index": f"b48d858f-{_B}",
        "observation_name": f"3d786f8a-{_C}",
        "start": f"3d786f8c-{_C}",
        "channel_instances": f"3d786f91-{_C}",
        "channel_instance": f"3d786f92-{_C}",
        "series_instances": f"3d786f93-{_C}",
        "series_instance": f"3d786f94-{_C}",
        "scale": f"3d786f96-{_C}",
        "offset": f"3d786f97-{_C}",
        "values": f"3d786f99-{_C}",
        "share_channel": f"8973861f-{_A}",
        "share_series": f"89738620-{_A}",
    }
)
#: Kinds of channels; the first is samples, all others are values made from them.
KINDS = _known(
    {
        "waveform": f"67f6af80-{_E}",
        "phasor": f"67f6af81-{_E}",
        "value log": f"67f6af82-{_E}",
        "flash": f"67f6af83-{_E}",
        "response": f"67f6af85-{_E}",
        "histogram": f"67f6af87-{_E}",
        "histogram 3D": f"67f6af88-{_E}",
        "cumulative probability": f"67f6af89-{_E}",
        "XY": f"67f6af8a-{_E}",
        "magnitude-duration": f"67f6af8b-{_E}",
        "XYZ": f"67f6af8c-{_E}",
        "magnitude-duration-time": f"67f6af8d-{_E}",
        "magnitude-duration-count": f"67f6af8e-{_E}",
    }
)
WAVEFORM = "waveform"
VALUE_TYPES = _known(
    {
        "time": f"c690e862-{_F}",
        "values": f"67f6af97-{_E}",
        "min": f"67f6af98-{_E}",
        "max": f"67f6af99-{_E}",
        "avg": f"67f6af9a-{_E}",
        "instantaneous": f"67f6af9b-{_E}",
        "angle": f"3d786f9d-{_C}",
        "duration": f"c690e863-{_F}",
        "interval": "72e82a40-336c-11d5-a4b3-444553540000",
        "status": "b82b5c82-55c7-11d5-a4b3-444553540000",
    }
)
CHARACTERISTICS = _known(
    {
        "none": f"a6b31adf-{_H}",
        "instantaneous": f"a6b31add-{_H}",
        "spectra": f"a6b31ae9-{_H}",
        "peak": f"a6b31ae2-{_H}",
        "rms": f"a6b31ae5-{_H}",
        "harmonic rms": f"a6b31adc-{_H}",
        "frequency": "07ef68af-9ff5-11d2-b30b-006008b37183",
        "thd": f"a6b31aec-{_H}",
    }
)
PHASES = ("", "AN", "BN", "CN", "NG", "AB", "BC", "CA", "residual", "net", "positive sequence", "negative sequence", "zero sequence", "total")
UNITS = {1: "timestamp", 2: "s", 3: "cycles", 6: "V", 7: "A", 8: "VA", 9: "W", 10: "var", 15: "Hz", 17: "deg", 19: "%", 20: "pu", 23: "Wh"}
