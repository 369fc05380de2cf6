"""A second checkpoint from the first: its weights requantized, its parent recorded.

python scripts/requantize.py artifacts/SmolLM2-135M-Instruct.Q5_0.gguf --to Q5_0
"""

import argparse
from pathlib import Path

import birthmark as bm
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize
from utils.clean_model_loader import default_model

KEPT = (Kind.F32, Kind.F16, Kind.BF16)  # norms and the like stay as they are


def requantize(source, target, kind):
    """Write `source` to `target` with every quantized block weight as `kind`."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        item_type = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=item_type)
    writer.add_file_type(LlamaFileType[f"MOSTLY_{kind.name}"])
    for tensor in reader.tensors:
        data, stored_as = tensor.data, tensor.tensor_type
        if stored_as not in KEPT and not tensor.name.startswith("token_embd"):
            data, stored_as = quantize(dequantize(data, stored_as), kind), kind
        writer.add_tensor(tensor.name, data, raw_dtype=stored_as)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--source", type=Path, default=None)
    parser.add_argument("--to", default="Q5_0", choices=["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
    args = parser.parse_args()
    source = args.source or default_model()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)

    with bm.session(planned=[Path(args.out).name]) as s:
        requantize(source, args.out, Kind[args.to])
        parent = {"role": "parent", "name": source.name, "digest": bm.digest_file(str(source))}
        s.add(args.out, artifact_type="model", quantization=args.to, inputs=[parent])
    print(f"{source.name} -> {args.out}")


if __name__ == "__main__":
    main()
