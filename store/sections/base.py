"""What every section of the settings is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST = 1_000_000_000
TEN_YEARS_S = 315_360_000
Positive = Annotated[int, Field(gt=0, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Days = Annotated[int, Field(gt=0, le=36_500)]
Seconds = Annotated[float, Field(gt=0, le=TEN_YEARS_S)]
Wait = Annotated[float, Field(ge=0, le=TEN_YEARS_S)]  # 0: none
Money = Annotated[float, Field(ge=0, le=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
