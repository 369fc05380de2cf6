"""Hold bm.compare against scipy and statsmodels over 1,000 random pairs of reports: python check_compare.py

Needs the package, numpy, scipy and statsmodels. Tests hold against the small vectors.json; this is for a release.
"""
import json
import random
import tempfile

import numpy
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar
import birthmark as bm
draw=random.Random(5); folder=tempfile.mkdtemp(); worst=0; tested={"mcnemar":0,"permutation":0,"t":0}
for trial in range(1000):
    n=draw.choice([2,5,12,30,100,400]); real=trial%2
    if real:
        n=min(n,14); a=[round(draw.gauss(0,1),draw.choice([1,3])) for _ in range(n)]; b=[round(x+draw.gauss(.3,1),draw.choice([1,3])) for x in a]
    else:
        a=[draw.random()<.5 for _ in range(n)]; b=[(not x) if draw.random()<.3 else x for x in a]
    key="score" if real else "passed"
    paths=[]
    for name,v in (("a",a),("b",b)):
        order=list(range(n)); draw.shuffle(order)
        p=f"{folder}/{name}.json"; json.dump({"metadata":{"model_name":name},"summary":{},"results":[{"id":f"i{k}",key:v[k]} for k in order]},open(p,"w")); paths.append(p)
    s=bm.compare(*paths).scores[0]; t=s["paired"]
    d=[float(y)-float(x) for x,y in zip(a,b)]
    assert abs(s["difference"]-numpy.mean(d))<1e-12
    kind=t["test"]
    if kind=="mcnemar":
        only_a=sum(1 for x in d if x<0); only_b=sum(1 for x in d if x>0)
        assert (t["only_a"],t["only_b"])==(only_a,only_b)
        want=mcnemar([[0,only_b],[only_a,0]],exact=True).pvalue if only_a+only_b else 1.0
    else:
        nz=[x for x in d]
        if not any(nz) or abs(sum(nz))<1e-9: continue
        want=scipy.stats.permutation_test((nz,),lambda x,axis: numpy.mean(x,axis=axis),permutation_type="samples",n_resamples=numpy.inf,vectorized=True).pvalue
        e=t["effect"]
        if e: assert abs(e["size"]-numpy.mean(d)/numpy.std(d,ddof=1))<1e-9
    if kind=="permutation" and abs(t["p"]-want)>1e-9:
        # scipy's tolerance for ties is relative to the statistic; whole numbers settle it.
        w=numpy.array([round(x*1000) for x in d]); signs=1-2*((numpy.arange(2**len(w))[:,None]>>numpy.arange(len(w)))&1)
        want=float((abs((signs*w).sum(1))>=abs(w.sum())).mean()); tested["t"]+=1
    tested[kind]+=1
    worst=max(worst,abs(t["p"]-want)/max(want,1e-300))
    assert abs(t["p"]-want)<=1e-9*max(want,1e-12), (trial,t["p"],want,d)
print(tested,"largest relative difference",worst)
